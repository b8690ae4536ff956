"""Windows for the plain equations of what has them: tables of 1 and 0 in the place of steps and slices."""

import numpy as np

PRODUCTS = {1: ("pjs,sbd->pbjd", "pjs,pbjd->sbd"), 2: ("pjr,qlc,rcbd->pqbjld", "pjr,qlc,pqbjld->rcbd")}


def looks(windows, stride=None, before=None):
    """For each axis of places a table (P, k, S): 1 where tap j of window p sees place s. Another stride, or another
    place of the first window, is a mistake."""
    stride, before = (windows.stride if stride is None else stride), (windows.before if before is None else before)
    tables = []
    for n, count in zip(windows.places, windows.counts, strict=True):
        p, j, s = np.ogrid[:count, : windows.size, :n]
        tables.append((p * stride + j - before == s).astype(float))
    return tables


def seen(x, looks):
    """What each tap of each window sees of x: (P, B, k, D), for a picture (P, Q, B, k * k, D)."""
    u = np.einsum(PRODUCTS[len(looks)][0], *looks, x)
    return u.reshape(*(len(table) for table in looks), x.shape[-2], -1, x.shape[-1])


def given_back(d, looks):
    """What each tap of each window gives, (P, B, k, D), added up at the places that it saw."""
    taps = [table.shape[1] for table in looks]
    return np.einsum(PRODUCTS[len(looks)][1], *looks, d.reshape(*d.shape[: len(looks) + 1], *taps, d.shape[-1]))


def assigned(d, looks):
    """The same where each tap of each window is written over what was there: a mistake."""
    out = np.zeros_like(given_back(d, looks))
    parts = np.moveaxis(d, -2, 0)
    for j, part in enumerate(parts):
        alone = np.zeros_like(d)
        alone[..., j, :] = part
        back = given_back(alone, looks)
        saw = given_back((np.arange(len(parts)) == j)[:, None] * np.ones_like(d), looks) > 0
        out = np.where(saw, back, out)
    return out


def there(mask, like):
    """A mask as numbers, with an axis for the channels; 1 where there is none."""
    return np.ones((*like.shape[:-1], 1)) if mask is None else mask[..., None].astype(float)
