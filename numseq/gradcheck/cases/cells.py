"""Cases of the recurrent cells: one step, a sequence, both directions, a stack."""

from numseq import layers
from numseq.gradcheck.cases.case import REAL, B, Case, D, H, T, rescaled


def cases(rng):
    table, normal = {}, rng.standard_normal
    table["lstm_step"] = Case(
        layers.lstm_step, {"a": normal((B, 4 * H)), "c_prev": normal((B, H))}, ("lstm_step", "LSTMStep", "LSTM")
    )
    lstm = rescaled(rng, layers.init_lstm(rng, D, H, float))
    start = {"x": normal((T, B, D)), "h0": normal((B, H)), "c0": normal((B, H)), "params": lstm}
    table["lstm"] = Case(lambda **kw: layers.lstm(**kw), start, ("lstm",))
    table["lstm, ragged"] = Case(lambda **kw: layers.lstm(**kw, mask=REAL), start, ("lstm",))
    table["lstm, ragged, reversed"] = Case(lambda **kw: layers.lstm(**kw, mask=REAL, reverse=True), start, ("lstm",))
    two_ways = {
        "x": normal((T, B, D)),
        "h0": normal((2, B, H)),
        "c0": normal((2, B, H)),
        "params": rescaled(rng, layers.init_bilstm(rng, D, H, float)),
    }
    table["bilstm"] = Case(lambda **kw: layers.bilstm(**kw, mask=REAL), two_ways, ("bilstm",))

    between = [layers.dropout_mask(rng, (T, B, 2 * H), 0.4, float)]
    stacked = {
        "x": normal((T, B, D)),
        "h0": normal((2, 2, B, H)),
        "c0": normal((2, 2, B, H)),
        "params": [rescaled(rng, layers.init_bilstm(rng, size, H, float)) for size in (D, 2 * H)],
    }
    table["stack"] = Case(lambda **kw: layers.stack(**kw, mask=REAL, dropout_masks=between), stacked, ("stack",))
    return table
