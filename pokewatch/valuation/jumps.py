"""Quotes far outside what a card's history and its set allow.

A hundredfold price, a penny, or the price of another printing is often an error, but prices do
double. So a quote whose move is many times the card's usual one, or that exchanges the prices of
two printings, awaits confirmation by further fresh quotes, unless the asks of the day or the card's
set moved with it. This is outlier filtering with confirmation, as for tick data (Brownlees and
Gallo, "Financial econometric analysis at ultra-high frequency", CSDA 2006), with wider limits
because the moves of cards have fat tails.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pokewatch.market.catalog import slugify
from pokewatch.valuation.panel import Bools, Floats, Panel, Strings

SCALES = 16.0  # times a card's usual fresh move
MIN_MOVE = float(np.log(1.75))  # no smaller move is a jump, except between printings
MAX_MOVE = float(np.log(5.0))  # every larger one is, however restless the card
MIN_EXCHANGE = float(np.log(1.02))  # least ratio of two printings whose exchange is seen
MAX_UNEXPLAINED = 0.7  # share of the moves of two printings that their exchange does not explain
MIN_SAME = 0.0  # log of the lowest price that is a printing's to the cent, and seldom by chance
EXTREME_RISE = float(np.log(25.0))  # the fair price follows it only when it is confirmed
CONFIRMING = 1  # fresh quotes near a jump that confirm it
CONFIRMING_EXTREME = 2  # the same for a move beyond MAX_MOVE
_PRIOR_SCALE = 0.05  # usual fresh move before any is known
_PRIOR_MOVES = 4.0  # fresh moves' worth of weight on it
_SAME = 1e-9  # difference of logs of the same price
_MIN_IN_SET = 5  # quoted cards of a set that show how it moved

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Jumps:
    """Quotes [k] that awaited confirmation, in the order of `start`. Days are indices.

    Card `card` is unconfirmed from day `start` up to the day before `end`, on which fresh quotes
    either confirmed the jump, another jump from its level included, or showed it to be an error
    (`confirmed` is False). `end` is the number of days for a jump that still waits. `before` is
    the log of the last quote before it, `move` the log move from there. `doubtful` marks the jumps
    that a fair price does not follow at once: exchanged prices of two printings, falls beyond
    MAX_MOVE unless the card is restless.
    """

    card: Indices
    start: Indices
    end: Indices
    confirmed: Bools
    before: Floats
    move: Floats
    doubtful: Bools

    def errors(self, known_on: int) -> "Jumps":
        """Return the jumps shown to be errors by day index `known_on`."""
        return self.select((self.end <= known_on) & ~self.confirmed)

    def select(self, jumps: NDArray[np.generic]) -> "Jumps":
        """Return the jumps of an index or mask [k]."""
        return Jumps(**{field.name: getattr(self, field.name)[jumps] for field in fields(self)})


def find_jumps(panel: Panel, until: int | None = None) -> Jumps:
    """Return the jumps of the days up to index `until`, the last if None.

    What is returned for a day depends on days up to it alone.
    """
    days = panel.days if until is None else until + 1
    search = _Search(panel)
    for day in range(days):
        search.advance(day)
    return search.found(days)


class _Search:
    def __init__(self, panel: Panel) -> None:
        n = panel.cards
        self.panel = panel
        self.set_code = _codes(np.char.add(np.char.add(panel.currency, "|"), panel.set_id))
        self.printings = _pairs_of_printings(panel.card_id, panel.printing)
        self.move_sum = np.full(n, _PRIOR_SCALE * _PRIOR_MOVES)
        self.moves = np.full(n, _PRIOR_MOVES)
        self.before = np.full(n, np.nan)  # log of the last quote that is not a waiting jump
        self.reading = np.full(n, np.nan)  # log of the newest quote of a waiting jump, else NaN
        self.needed = np.zeros(n, dtype=np.int64)  # fresh quotes that would confirm it
        self.quotes = np.zeros(n, dtype=np.int64)  # of a waiting jump, repeated ones included
        self.start = np.full(n, -1)
        self.move = np.zeros(n)
        self.doubtful = np.zeros(n, dtype=np.bool_)
        self.asks: list[Floats] = []
        self.ended: list[Jumps] = []

    def advance(self, day: int) -> None:
        panel = self.panel
        quote, fresh = np.log(panel.market[day]), panel.fresh[day]
        asks = [np.log(prices[day]) for prices in (panel.low, panel.mid) if prices is not None]
        limit = np.clip(SCALES * self.move_sum / self.moves, MIN_MOVE, MAX_MOVE)
        exchanged = self._exchanged(np.where(fresh, quote, np.nan))
        self._resolve(day, quote, fresh, limit, exchanged)
        move = np.where(fresh & np.isnan(self.reading), quote - self.before, np.nan)
        far = self._far(quote, move, limit, asks)
        jumped = np.flatnonzero(far | exchanged)
        self.quotes[jumped] = 0
        self.quotes += np.isfinite(quote)
        self.start[jumped] = day
        self.reading[jumped] = quote[jumped]
        self.move[jumped] = move[jumped]
        self.doubtful[jumped] = (exchanged | ((move < -MAX_MOVE) & (limit < MAX_MOVE)))[jumped]
        extreme = np.abs(move[jumped]) > MAX_MOVE
        self.needed[jumped] = np.where(extreme, CONFIRMING_EXTREME, CONFIRMING)
        self.before = np.where(np.isfinite(quote) & np.isnan(self.reading), quote, self.before)
        self.asks = asks
        usual = np.isfinite(move) & ~far & ~exchanged
        self.move_sum += np.where(usual, np.minimum(np.abs(move), MIN_MOVE), 0.0)
        self.moves += usual

    def found(self, days: int) -> Jumps:
        """Return all jumps; those that still wait end on day index `days`."""
        waiting = np.flatnonzero(np.isfinite(self.reading))
        self._end(waiting, days, np.zeros(len(waiting), dtype=np.bool_))
        jumps = Jumps(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in self.ended])
                for field in fields(Jumps)
            }
        )
        return jumps.select(np.lexsort((jumps.card, jumps.start)))

    def _exchanged(self, quote: Floats) -> Bools:
        """Return which cards [n] have exchanged prices with another printing.

        `quote` is NaN where it is not fresh. In an exchange, either the two quotes together are
        nearer to each other's last price than to their own, or one is the other's to the cent.
        """
        level = self._levels()
        move = quote - level
        first, second = self.printings
        gap = level[second] - level[first]
        off_first, off_second = np.abs(move[first] - gap), np.abs(move[second] + gap)
        moves = np.abs(move[first]) + np.abs(move[second])
        swapped = (np.abs(gap) > MIN_EXCHANGE) & (off_first + off_second <= MAX_UNEXPLAINED * moves)
        swapped &= (move[first] * gap > 0) & (move[second] * gap < 0)
        same = np.minimum(off_first, off_second) < _SAME
        swapped |= same & (np.minimum(level[first], level[second]) >= MIN_SAME)
        swapped &= ~self._returned(quote, off_first, off_second)
        found = np.zeros(len(quote), dtype=np.bool_)
        found[first[swapped]] = found[second[swapped]] = True
        return found

    def _levels(self) -> Floats:
        """Return the log of each card's last price [n], NaN if the fair price is not there yet."""
        waiting = np.isfinite(self.reading)
        followed = np.where(
            self.quotes > 1,
            (self.move > -MAX_MOVE) & (self.move <= EXTREME_RISE),
            np.abs(self.move) <= MAX_MOVE,
        )
        return np.where(waiting, np.where(followed, self.reading, np.nan), self.before)

    def _returned(self, quote: Floats, off_first: Floats, off_second: Floats) -> Bools:
        """Return the pairs [k] that rather return to the price before a jump.

        Either both return from their exchange, or one from a jump that was quoted once.
        """
        waiting = np.isfinite(self.reading)
        off = np.where(waiting & (self.quotes <= 1), np.abs(quote - self.before) / 2, np.inf)
        first, second = self.printings
        exchanged = waiting & self.doubtful
        back = exchanged[first] & exchanged[second] & (self.start[first] == self.start[second])
        returned: Bools = back | (off[first] <= off_first) | (off[second] <= off_second)
        return returned

    def _resolve(
        self, day: int, quote: Floats, fresh: Bools, limit: Floats, exchanged: Bools
    ) -> None:
        """End the waiting jumps that a fresh quote confirms or contradicts."""
        cards = np.flatnonzero(fresh & np.isfinite(self.reading))
        to_new = np.abs(quote[cards] - self.reading[cards])
        to_old = np.abs(quote[cards] - self.before[cards])
        size = np.abs(self.reading[cards] - self.before[cards])
        agrees = (to_new < to_old) & (to_new <= np.maximum(limit[cards], size / 2))
        agrees &= ~exchanged[cards]
        self.needed[cards] -= agrees
        self.reading[cards] = np.where(agrees, quote[cards], self.reading[cards])
        # A quote far from both is a jump of its own: from the new level if that was repeated and
        # no extreme fall. So is an exchange of printings, from the new level.
        far_off = ~agrees & (to_old > np.maximum(limit[cards], size / 2))
        replaced = far_off & (self.quotes[cards] > 1) & (self.move[cards] > -MAX_MOVE)
        replaced |= exchanged[cards]
        confirmed = (agrees & (self.needed[cards] <= 0)) | replaced
        ended = ~agrees | confirmed
        self._end(cards[ended], day, confirmed[ended])
        self.before[cards[confirmed]] = self.reading[cards[confirmed]]
        self.reading[cards[ended]] = np.nan

    def _end(self, cards: Indices, day: int, confirmed: Bools) -> None:
        self.ended.append(
            Jumps(
                cards,
                self.start[cards],
                np.full(len(cards), day),
                confirmed,
                self.before[cards],
                self.move[cards],
                self.doubtful[cards],
            )
        )

    def _far(self, quote: Floats, move: Floats, limit: Floats, asks: list[Floats]) -> Bools:
        """Return which moves [n] are beyond `limit` and not supported by the set or an ask."""
        far: Bools = np.abs(move) > limit
        if far.any():
            supported = np.abs(move - self._set_moves(quote - self.before, far)) <= limit
            for ask, ask_before in zip(asks, self.asks, strict=False):
                supported |= _rose_too(quote, self.before, ask, ask_before)
            far &= ~supported | (np.abs(move) > MAX_MOVE)
        return far

    def _set_moves(self, move: Floats, cards: Bools) -> Floats:
        """Return the median move of the quoted cards of each card's set, 0 where they are few.

        It is that of the sets of `cards` [n] alone: the others have 0.
        """
        wanted = np.zeros(int(self.set_code.max(initial=0)) + 1, dtype=np.bool_)
        wanted[self.set_code[cards]] = True
        known = np.flatnonzero(np.isfinite(move) & wanted[self.set_code])
        order = known[np.lexsort((move[known], self.set_code[known]))]
        codes, start, count = np.unique(self.set_code[order], return_index=True, return_counts=True)
        moves = np.zeros(len(wanted))
        enough = count >= _MIN_IN_SET
        moves[codes[enough]] = move[order[start[enough] + count[enough] // 2]]
        found: Floats = moves[self.set_code]
        return found


def _pairs_of_printings(card_id: Strings, printing: Strings) -> Indices:
    """Return the cards [2, k] of each pair of printings of one product.

    Their ids differ in the printing at the end.
    """
    ending = {name: f"-{slugify(name, '-')}" for name in np.unique(printing).tolist()}
    product = np.array(
        [
            card.removesuffix(ending[name])
            for card, name in zip(card_id.tolist(), printing.tolist(), strict=True)
        ],
        dtype=np.str_,
    )
    order = np.argsort(product, kind="stable")
    pairs = [np.empty((2, 0), dtype=np.int64)]
    for step in range(1, len(order)):
        same = np.flatnonzero(product[order[step:]] == product[order[:-step]])
        if len(same) == 0:
            break
        pairs.append(np.stack((order[same], order[same + step])))
    return np.concatenate(pairs, axis=1)


def _rose_too(quote: Floats, before: Floats, ask: Floats, ask_before: Floats) -> Bools:
    """Return where an ask confirms a rise, having risen as well.

    An ask confirms no fall: the lowest may be for a copy in poor condition.
    """
    middle = (quote + before) / 2
    rose: Bools = (quote > before) & (ask > middle) & (ask_before < middle)
    return rose


def _codes(texts: Strings) -> Indices:
    return np.unique(texts, return_inverse=True)[1]
