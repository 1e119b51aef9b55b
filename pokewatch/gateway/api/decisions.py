"""Calls of the model `decision`, which the variants of a market share."""

import asyncio
import logging
from collections.abc import Sequence

from pokewatch.contract import DECISION, DECISION_OUTPUTS
from pokewatch.gateway.upstream.reply_checks import check_decisions
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import (
    Columns,
    V2Tensor,
    decode_columns,
    encode_request,
    new_id,
    rows_of,
)

DECISION_PATH = f"/v2/models/{DECISION}/infer"
DECISION_COLUMNS = tuple(tensor.name for tensor in DECISION_OUTPUTS)
NOT_JUDGED = "not_judged"
_UNDECIDED: Columns = {
    "signal": ["HOLD"],
    "deviation_pct": [None],
    "confidence": [None],
    "reason": [NOT_JUDGED],
    "buy_below": [None],
    "sell_above": [None],
    "chance_to_earn": [None],
    "advice": [NOT_JUDGED],
}
_PER_REQUEST = "currency"  # the input with one value for all rows
_WAIT = 0.02  # seconds for which rows wait for another call

logger = logging.getLogger("pokewatch.gateway.api.decisions")


class _WaitingRows:
    """Rows that wait for a call to join. The result is None if that call failed."""

    def __init__(self, inputs: list[V2Tensor]) -> None:
        self.inputs = inputs
        self.result: asyncio.Future[Columns | None] = asyncio.get_running_loop().create_future()

    def fits(self, inputs: list[V2Tensor]) -> bool:
        """Return whether these rows can be in a request with those."""
        pairs = zip(self.inputs, inputs, strict=False)
        return len(self.inputs) == len(inputs) and all(
            one.name == other.name and (one.name != _PER_REQUEST or one.data == other.data)
            for one, other in pairs
        )


class DecisionCalls:
    """The model `decision` for fair prices.

    `expected` is the number of calls of `decide` that follow soon, as their fair prices are being
    looked up.
    """

    def __init__(self, client: V2Client) -> None:
        self._client = client
        self._waiting: list[_WaitingRows] = []
        self.expected = 0

    async def decide(self, inputs: list[V2Tensor], headers: bytes, deadline: float) -> Columns:
        """Return the decisions on fair prices. Rows that `decision` refuses stay undecided.

        Raise ProblemError if a call fails.
        """
        if not self._waiting:
            return await self._decide(inputs, headers, deadline)
        joined = [rows for rows in self._waiting if rows.fits(inputs)]
        self._waiting = [rows for rows in self._waiting if rows not in joined]
        blocks = [inputs, *(rows.inputs for rows in joined)]
        try:
            found = await self._decide(_together(blocks), headers, deadline)
        except BaseException:
            for rows in joined:
                _resolve(rows, None)
            raise
        own, *others = _apart(found, blocks)
        for rows, columns in zip(joined, others, strict=True):
            _resolve(rows, columns)
        return own

    async def join(self, inputs: list[V2Tensor], headers: bytes, deadline: float) -> Columns:
        """Return the same by a call of `decide`, if one is expected and begins in time."""
        if self.expected:
            rows = _WaitingRows(inputs)
            self._waiting.append(rows)
            try:
                await asyncio.wait([rows.result], timeout=_WAIT)
                found = None if rows in self._waiting else await rows.result
            finally:
                if rows in self._waiting:
                    self._waiting.remove(rows)
            if found is not None:
                return found
        return await self._decide(inputs, headers, deadline)

    async def call(
        self, inputs: list[V2Tensor], headers: bytes, deadline: float
    ) -> tuple[Columns, str]:
        """Return the decisions, and the currency of the advice.

        Raise RefusedError if `decision` refuses a row, ProblemError if the call fails.
        """
        request_id = new_id()
        request = encode_request(inputs, DECISION_COLUMNS, request_id)
        body = await self._client.send(DECISION_PATH, request, headers, deadline)
        try:
            found = decode_columns(body, DECISION_COLUMNS, len(inputs[0].data), request_id)
            check_decisions(found[0], inputs[-1].data if inputs[-1].name == "status" else None)
        except ValueError as error:
            raise self._client.bad_reply(str(error)) from error
        return found

    async def _decide(self, inputs: list[V2Tensor], headers: bytes, deadline: float) -> Columns:
        try:
            return (await self.call(inputs, headers, deadline))[0]
        except RefusedError as refused:
            if len(inputs[0].data) == 1:
                logger.warning(
                    "decision refused a fair price",
                    extra={"upstream": DECISION, "cause": str(refused)},
                )
                return _UNDECIDED
        half = len(inputs[0].data) // 2
        first, second = [
            await self._decide([rows_of(tensor, rows) for tensor in inputs], headers, deadline)
            for rows in (slice(None, half), slice(half, None))
        ]
        return {name: [*first[name], *second[name]] for name in DECISION_COLUMNS}


def _together(blocks: Sequence[list[V2Tensor]]) -> list[V2Tensor]:
    """Return the tensors of all blocks, which have the same names."""
    return [_joined(tensors) for tensors in zip(*blocks, strict=True)]


def _joined(tensors: tuple[V2Tensor, ...]) -> V2Tensor:
    first = tensors[0]
    if first.name == _PER_REQUEST:
        return first
    data = [value for tensor in tensors for value in tensor.data]
    shape = [sum(tensor.shape[0] for tensor in tensors), *first.shape[1:]]
    return V2Tensor(first.name, shape, first.datatype, data)


def _apart(found: Columns, blocks: Sequence[list[V2Tensor]]) -> list[Columns]:
    """Return the columns of each block."""
    parts: list[Columns] = []
    start = 0
    for inputs in blocks:
        end = start + len(inputs[0].data)
        parts.append({name: column[start:end] for name, column in found.items()})
        start = end
    return parts


def _resolve(rows: _WaitingRows, columns: Columns | None) -> None:
    if not rows.result.done():
        rows.result.set_result(columns)
