"""One step of each recurrent cell, backwards.

The weights that a step itself uses are handed in, as to the library's own, or they lie on the trace of a step that
was checked alone.
"""

import numpy as np

from numseq.gradcheck.equations.change import equations

# Names that no equation here reads are there for the bugs to read.
# ruff: noqa: F841


def rnn_step(s, dh, change):
    eq, h = equations(change), s.h
    return {"da": eq("da", dh * (1 - h**2))}


def relu_step(s, dh, change):
    eq, h = equations(change), s.h
    return {"da": eq("da", np.where(h > 0, dh, 0))}


def lstm_step(s, dh, dc, change):
    eq = equations(change)
    i, f, g, o, c, c_prev, tanh_c = s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c
    dc_in = dc
    do = eq("do", dh * tanh_c)
    dc = eq("dc", dc_in + dh * o * (1 - tanh_c**2))
    di = eq("di", dc * g)
    df = eq("df", dc * c_prev)
    dg = eq("dg", dc * i)
    dc_prev = eq("dc_prev", dc * f)
    da_i = eq("da_i", di * i * (1 - i))
    da_f = eq("da_f", df * f * (1 - f))
    da_g = eq("da_g", dg * (1 - g**2))
    da_o = eq("da_o", do * o * (1 - o))
    da = np.concatenate(eq("da", [da_i, da_f, da_g, da_o]), axis=-1)
    return {"da": da, "dc_prev": dc_prev, "di": di, "df": df, "dg": dg, "do": do, "dc": dc}


def peephole_step(s, dh, dc, peepholes=None, change=None):
    eq, p = equations(change), peepholes or s.peepholes
    p_i, p_f, p_o = p.p_i, p.p_f, p.p_o
    i, f, g, o, c, c_prev, tanh_c = s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c
    dc_in = dc
    do = eq("do", dh * tanh_c)
    da_o = eq("da_o", do * o * (1 - o))
    dc_peephole = eq("dc_peephole", da_o * p_o)
    dc = eq("dc", dc_in + dh * o * (1 - tanh_c**2) + dc_peephole)
    di = eq("di", dc * g)
    df = eq("df", dc * c_prev)
    dg = eq("dg", dc * i)
    da_i = eq("da_i", di * i * (1 - i))
    da_f = eq("da_f", df * f * (1 - f))
    da_g = eq("da_g", dg * (1 - g**2))
    dc_prev = eq("dc_prev", dc * f + da_i * p_i + da_f * p_f)
    da = np.concatenate(eq("da", [da_i, da_f, da_g, da_o]), axis=-1)
    return {"da": da, "dc_prev": dc_prev, "di": di, "df": df, "dg": dg, "do": do, "dc": dc}


def normalise(dx_hat, x_hat, std, change, of):
    """Back through (x - mean) / std, over the last axis; its equations are called mean_of, projection_of and dof."""
    eq = equations(change)
    mean = eq(f"mean_{of}", dx_hat.mean(axis=-1, keepdims=True))
    projection = eq(f"projection_{of}", (dx_hat * x_hat).mean(axis=-1, keepdims=True))
    std = eq(f"std_{of}", std)
    return eq(f"d{of}", (dx_hat - mean - x_hat * projection) / std)


def layernorm_lstm_step(s, dh, dc, gains=None, change=None):
    eq, p = equations(change), gains or s.gains
    g_h, g_c = p.g_h, p.g_c
    i, f, g, o, c, c_prev, tanh_n = s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_n
    c_hat, tanh_c, dc_in = s.c_hat, s.tanh_n, dc
    do = eq("do", dh * tanh_n)
    dn = eq("dn", dh * o * (1 - tanh_n**2))
    dc_hat = eq("dc_hat", dn * g_c)
    dc_shown = normalise(dc_hat, c_hat, s.c_std, change, "c_shown")
    dc = eq("dc", dc_in + dc_shown)
    di = eq("di", dc * g)
    df = eq("df", dc * c_prev)
    dg = eq("dg", dc * i)
    dc_prev = eq("dc_prev", dc * f)
    da_i = eq("da_i", di * i * (1 - i))
    da_f = eq("da_f", df * f * (1 - f))
    da_g = eq("da_g", dg * (1 - g**2))
    da_o = eq("da_o", do * o * (1 - o))
    da = np.concatenate(eq("da", [da_i, da_f, da_g, da_o]), axis=-1)
    dq_hat = eq("dq_hat", da * g_h)
    dq = normalise(dq_hat, s.q_hat, s.q_std, change, "q")
    da = np.concatenate([da, dn], axis=-1)
    return {"da": da, "dq": dq, "dc_prev": dc_prev, "dn": dn, "di": di, "df": df, "dg": dg, "do": do, "dc": dc}


def gru_step(s, dh, change):
    eq = equations(change)
    r, z, n, u, h_prev = s.r, s.z, s.n, s.u, s.h_prev
    dz = eq("dz", dh * (h_prev - n))
    dn = eq("dn", dh * (1 - z))
    dh_prev = eq("dh_carried", dh * z)
    da_n = eq("da_n", dn * (1 - n**2))
    dr = eq("dr", da_n * u)
    du = eq("du", da_n * r)
    da_r = eq("da_r", dr * r * (1 - r))
    da_z = eq("da_z", dz * z * (1 - z))
    da = np.concatenate(eq("da", [da_r, da_z, da_n]), axis=-1)
    return {"da": da, "du": du, "dh_prev": dh_prev, "dz": dz, "dn": dn, "dr": dr}


def gru_before_step(s, dh, U_n=None, change=None):
    eq, U_n = equations(change), s.U_n if U_n is None else U_n
    r, z, n, v, h_prev = s.r, s.z, s.n, s.v, s.h_prev
    dz = eq("dz", dh * (h_prev - n))
    dn = eq("dn", dh * (1 - z))
    da_n = eq("da_n", dn * (1 - n**2))
    dv = eq("dv", da_n @ U_n.T)
    dr = eq("dr", dv * h_prev)
    dh_prev = eq("dh_carried", dh * z + dv * r)
    da_r = eq("da_r", dr * r * (1 - r))
    da_z = eq("da_z", dz * z * (1 - z))
    da = np.concatenate(eq("da", [da_r, da_z, da_n]), axis=-1)
    return {"da": da, "dh_prev": dh_prev, "dz": dz, "dn": dn, "dv": dv, "dr": dr}
