"""Blends a tile's Gaussians front to back, and the hand-derived backward pass in the same order.

A tile's state is a canvas of 16 rows; a row holds its channels one after the other, 16 pixels each, so that the
compiler turns every loop over a row into a few vector instructions without branches. Rules of Kerbl et al. 2023: alpha
is capped at 0.99 and skipped under 1/255; a pixel is finished, without it, at the Gaussian that would bring its
transmittance under 1e-4. Finished pixels carry their transmittance with a minus sign.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from likeness.rendering.binning import TILE
from likeness.rendering.projection import MIN_ALPHA

MAX_ALPHA = np.float32(0.99)
MIN_TRANSMITTANCE = np.float32(1e-4)
CHANNELS = 5
ROW = CHANNELS * TILE
CHECK_EVERY = 16
"""Gaussians between two looks at whether the whole tile is finished."""
_SKIP = np.float32(MIN_ALPHA)
_ONE, _ZERO, _HALF = np.float32(1.0), np.float32(0.0), np.float32(0.5)


class Picture(NamedTuple):
    """What the forward pass writes, float32, and where each tile stopped."""

    rgb: np.ndarray
    alpha: np.ndarray
    depth: np.ndarray
    end: np.ndarray


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def blend(begin, end, splats, bins, background, picture):
    """Draw the tiles [begin, end) of the picture."""
    canvas = np.empty((TILE, ROW), np.float32)
    offsets, indices, _, _, tiles_x, _ = bins
    for tile in range(begin, end):
        y0, x0 = tile // tiles_x * TILE, tile % tiles_x * TILE
        _open_canvas(canvas, y0, x0, picture.alpha)
        stop = offsets[tile + 1]
        for pair in range(offsets[tile], stop):
            splat = splats[indices[pair]]
            dx = np.float32(x0) + _HALF - splat.x
            first, last = _rows(splat, y0)
            for row in range(first, last):
                dy = np.float32(y0 + row) + _HALF - splat.y
                _blend_row(canvas, row, splat, dx, dy)
            if (pair & (CHECK_EVERY - 1)) == 0 and _finished(canvas):
                stop = pair + 1
                break
        picture.end[tile] = stop
        _close_canvas(canvas, y0, x0, background, picture)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def blend_backward(begin, end, splats, bins, picture, rgb_grad, alpha_grad, count, moments):
    """Leave for the tiles [begin, end) the moments of the first `count` splats' pairs in their slots.

    What they are is said at projection.MOMENTS.

    For a pixel dL/d(alpha_i) = T_i c_i . g - S_i / (1 - alpha_i), where S_i is what all that lies behind i adds to L:
    S starts at the finished pixel's whole and loses every Gaussian's own part on the way.
    """
    canvas, sums = np.empty((TILE, ROW), np.float32), np.empty((6, TILE), np.float32)
    offsets, indices, slots, _, tiles_x, _ = bins
    ends = picture.end
    for tile in range(begin, end):
        y0, x0 = tile // tiles_x * TILE, tile % tiles_x * TILE
        _open_canvas(canvas, y0, x0, picture.alpha)
        _load_gradients(canvas, y0, x0, picture, rgb_grad, alpha_grad)
        for pair in range(offsets[tile], ends[tile]):
            splat = splats[indices[pair]]
            dx = np.float32(x0) + _HALF - splat.x
            first, last = _rows(splat, y0)
            if indices[pair] >= count:
                for row in range(first, last):
                    dy = np.float32(y0 + row) + _HALF - splat.y
                    _pass_row(canvas, row, splat, dx, dy)
                continue
            sums[:] = _ZERO
            for row in range(first, last):
                dy = np.float32(y0 + row) + _HALF - splat.y
                _backward_row(canvas, row, sums, splat, dx, dy)
            _reduce(sums, dx, moments, slots[pair])


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def blend_shares(begin, end, splats, bins, like, shares):
    """Leave for the tiles [begin, end) of a picture of `like`'s size how many pixels each of their pairs makes up."""
    canvas, sums = np.empty((TILE, TILE), np.float32), np.empty(TILE, np.float32)
    offsets, indices, _, _, tiles_x, _ = bins
    for tile in range(begin, end):
        y0, x0 = tile // tiles_x * TILE, tile % tiles_x * TILE
        _open_canvas(canvas, y0, x0, like)
        for pair in range(offsets[tile], offsets[tile + 1]):
            splat = splats[indices[pair]]
            dx = np.float32(x0) + _HALF - splat.x
            sums[:] = _ZERO
            first, last = _rows(splat, y0)
            for row in range(first, last):
                dy = np.float32(y0 + row) + _HALF - splat.y
                _share_row(canvas, row, sums, splat, dx, dy)
            for j in range(TILE):
                shares[pair] += sums[j]
            if (pair & (CHECK_EVERY - 1)) == 0 and _finished(canvas):
                break


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _exp(x):
    """Return e^x for x <= 0 to 1e-7: 2^floor by the exponent's bits times a polynomial fitted to 2^fraction."""
    y = max(min(x, _ZERO), np.float32(-30.0)) * np.float32(1.4426950408889634)
    whole = np.int32(y)  # rounds up, for y <= 0
    f = _ONE + (y - np.float32(whole))
    p = np.float32(0.00898934228) + f * np.float32(0.00187757882)
    p = np.float32(0.240153624) + f * (np.float32(0.0558263084) + f * p)
    p = np.float32(0.999999925) + f * (np.float32(0.693153071) + f * p)
    return p * np.int32((whole + np.int32(126)) << np.int32(23)).view(np.float32)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _blend_row(canvas, row, splat, dx0, dy):
    """Blend a splat into a row of the canvas: transmittance, red, green, blue, depth."""
    constant = -_HALF * splat.conic_yy * dy * dy
    linear, quadratic = -splat.conic_xy * dy, -_HALF * splat.conic_xx
    opacity, red, green, blue, depth = splat.opacity, splat.red, splat.green, splat.blue, splat.depth
    for j in range(TILE):
        dx = dx0 + np.float32(np.int32(j))
        alpha = min(opacity * _exp(constant + dx * (linear + dx * quadratic)), MAX_ALPHA)
        alpha = alpha if alpha >= _SKIP else _ZERO
        before = canvas[row, j]
        after = before - alpha * before
        goes_on = after >= MIN_TRANSMITTANCE
        weight = alpha * before if goes_on else _ZERO
        canvas[row, j] = after if goes_on else -abs(before)
        canvas[row, TILE + j] += weight * red
        canvas[row, 2 * TILE + j] += weight * green
        canvas[row, 3 * TILE + j] += weight * blue
        canvas[row, 4 * TILE + j] += weight * depth


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _share_row(canvas, row, sums, splat, dx0, dy):
    """Do what `_blend_row` does, and add the weights to the sums of each column in place of colours."""
    constant = -_HALF * splat.conic_yy * dy * dy
    linear, quadratic = -splat.conic_xy * dy, -_HALF * splat.conic_xx
    opacity = splat.opacity
    for j in range(TILE):
        dx = dx0 + np.float32(np.int32(j))
        alpha = min(opacity * _exp(constant + dx * (linear + dx * quadratic)), MAX_ALPHA)
        alpha = alpha if alpha >= _SKIP else _ZERO
        before = canvas[row, j]
        after = before - alpha * before
        goes_on = after >= MIN_TRANSMITTANCE
        canvas[row, j] = after if goes_on else -abs(before)
        sums[j] += alpha * before if goes_on else _ZERO


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _backward_row(canvas, row, sums, splat, dx0, dy):
    """Add a row's part of v, v dy, v dy^2 and of the colour's gradient to the sums of each column."""
    constant = -_HALF * splat.conic_yy * dy * dy
    linear, quadratic = -splat.conic_xy * dy, -_HALF * splat.conic_xx
    opacity, red, green, blue = splat.opacity, splat.red, splat.green, splat.blue
    for j in range(TILE):
        dx = dx0 + np.float32(np.int32(j))
        uncapped = opacity * _exp(constant + dx * (linear + dx * quadratic))
        alpha = min(uncapped, MAX_ALPHA)
        alpha = alpha if alpha >= _SKIP else _ZERO
        before = canvas[row, j]
        after = before - alpha * before
        goes_on = after >= MIN_TRANSMITTANCE
        weight = alpha * before if goes_on else _ZERO
        canvas[row, j] = after if goes_on else -abs(before)
        red_grad, green_grad, blue_grad = (
            canvas[row, 2 * TILE + j],
            canvas[row, 3 * TILE + j],
            canvas[row, 4 * TILE + j],
        )
        own = weight * (red * red_grad + green * green_grad + blue * blue_grad)
        behind = canvas[row, TILE + j] - own
        canvas[row, TILE + j] = behind
        v = own - behind * alpha / (_ONE - alpha)
        v = v if goes_on and uncapped <= MAX_ALPHA else _ZERO
        sums[0, j] += v
        sums[1, j] += v * dy
        sums[2, j] += v * dy * dy
        sums[3, j] += weight * red_grad
        sums[4, j] += weight * green_grad
        sums[5, j] += weight * blue_grad


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _pass_row(canvas, row, splat, dx0, dy):
    """Do what `_backward_row` does for a splat that nobody asks a gradient of."""
    constant = -_HALF * splat.conic_yy * dy * dy
    linear, quadratic = -splat.conic_xy * dy, -_HALF * splat.conic_xx
    opacity, red, green, blue = splat.opacity, splat.red, splat.green, splat.blue
    for j in range(TILE):
        dx = dx0 + np.float32(np.int32(j))
        alpha = min(opacity * _exp(constant + dx * (linear + dx * quadratic)), MAX_ALPHA)
        alpha = alpha if alpha >= _SKIP else _ZERO
        before = canvas[row, j]
        after = before - alpha * before
        goes_on = after >= MIN_TRANSMITTANCE
        weight = alpha * before if goes_on else _ZERO
        canvas[row, j] = after if goes_on else -abs(before)
        color_part = (
            red * canvas[row, 2 * TILE + j] + green * canvas[row, 3 * TILE + j] + blue * canvas[row, 4 * TILE + j]
        )
        canvas[row, TILE + j] -= weight * color_part


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _reduce(sums, dx0, moments, slot):
    """Add the sums of the columns up to the pair's moments."""
    v = v_x = v_y = v_xx = v_xy = v_yy = red = green = blue = _ZERO
    for j in range(TILE):
        dx = dx0 + np.float32(np.int32(j))
        v += sums[0, j]
        v_x += sums[0, j] * dx
        v_y += sums[1, j]
        v_xx += sums[0, j] * dx * dx
        v_xy += sums[1, j] * dx
        v_yy += sums[2, j]
        red += sums[3, j]
        green += sums[4, j]
        blue += sums[5, j]
    moments[slot, 0], moments[slot, 1], moments[slot, 2] = v, v_x, v_y
    moments[slot, 3], moments[slot, 4], moments[slot, 5] = v_xx, v_xy, v_yy
    moments[slot, 6], moments[slot, 7], moments[slot, 8] = red, green, blue


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _rows(splat, y0):
    """Return the half-open range of the tile's rows that the splat reaches."""
    first = max(np.ceil(splat.y - splat.reach_y - _HALF) - y0, 0.0)
    last = min(np.floor(splat.y + splat.reach_y - _HALF) - y0, TILE - 1.0)
    return int(first), int(last) + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _finished(canvas):
    """Tell whether no pixel of the tile takes any more."""
    nearest = _ZERO
    for row in range(TILE):
        for j in range(TILE):
            nearest = max(nearest, canvas[row, j])
    return nearest <= _ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def _open_canvas(canvas, y0, x0, like):
    """Clear the canvas; what lies beyond the picture's border counts as finished."""
    canvas[:] = _ZERO
    for row in range(TILE):
        for j in range(TILE):
            inside = y0 + row < like.shape[0] and x0 + j < like.shape[1]
            canvas[row, j] = _ONE if inside else -_ONE


@njit(cache=True, nogil=True, error_model="numpy")
def _close_canvas(canvas, y0, x0, background, picture):
    """Copy the canvas into the picture, over the background."""
    rgb, alpha, depth, _ = picture
    for y in range(y0, min(y0 + TILE, alpha.shape[0])):
        for x in range(x0, min(x0 + TILE, alpha.shape[1])):
            row, j = y - y0, x - x0
            left = abs(canvas[row, j])
            for channel in range(3):
                rgb[y, x, channel] = canvas[row, (1 + channel) * TILE + j] + left * background[channel]
            alpha[y, x] = _ONE - left
            depth[y, x] = canvas[row, 4 * TILE + j] / (_ONE - left) if left < _ONE else _ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def _load_gradients(canvas, y0, x0, picture, rgb_grad, alpha_grad):
    """Put the gradients of the picture and S, the whole pixel's part in the loss, into the canvas."""
    rgb, alpha, _, _ = picture
    for y in range(y0, min(y0 + TILE, alpha.shape[0])):
        for x in range(x0, min(x0 + TILE, alpha.shape[1])):
            row, j = y - y0, x - x0
            whole = -(_ONE - alpha[y, x]) * alpha_grad[y, x]
            for channel in range(3):
                canvas[row, (2 + channel) * TILE + j] = rgb_grad[y, x, channel]
                whole += rgb_grad[y, x, channel] * rgb[y, x, channel]
            canvas[row, TILE + j] = whole
