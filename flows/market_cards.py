"""The card of a run of several markets."""

from collections.abc import Iterator, Sequence

from card_html import Column, html_table, style
from metaflow.cards import Markdown, MetaflowCardComponent

from pokewatch.pipeline.market_runs import MarketRun

_COLUMNS = (
    Column("market"),
    Column("result"),
    Column("champion", number=True),
    Column("last day"),
    Column("minutes", number=True),
    Column("error"),
)


def markets_card(results: Sequence[MarketRun]) -> Iterator[MetaflowCardComponent]:
    """The result of every market's run, those that failed first."""
    failed = [each for each in results if each.error]
    yield style()
    yield Markdown("# Markets")
    yield Markdown(
        f"**{len(failed)} of {len(results)} failed; their champions stay.**"
        if failed
        else f"All {len(results)} are done."
    )
    done = [each for each in results if not each.error]
    yield html_table(_COLUMNS, [_cells(each) for each in (*failed, *done)])


def _cells(run: MarketRun) -> tuple[str, ...]:
    return (
        run.market,
        "failed" if run.error else "done",
        run.version or "none",
        run.last_day,
        f"{run.seconds / 60:.1f}",
        run.error,
    )
