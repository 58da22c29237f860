"""All cases through one graph, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from lastword.graphs_config import CallGraph
from lastword.tools.evaluation.case_call import CaseCall, CaseSetting, decide
from lastword.tools.evaluation.dataset import Case
from lastword.tools.evaluation.decision import Decision, Side
from lastword.tools.evaluation.failure_log import FailureLog, describe, kept_failures

UNKNOWN_MODEL = "unknown"
"""What ``GraphLLM.model`` says of a graph that asked none, or one without a name."""


async def run_side(
    graph: CallGraph,
    cases: Sequence[Case],
    setting: CaseSetting,
    *,
    parallel: int,
    decided: Callable[[Decision], None] = lambda _: None,
) -> Side:
    """Run ``cases`` through ``graph``, at most ``parallel`` at once; ``decided`` is told of each.

    Each turn is bounded by the policy's ``turn_timeout``, by the bridge. A case that fails is a
    decision too.
    """
    free = asyncio.Semaphore(parallel)
    models: set[str] = set()

    async def run(case: Case, log: FailureLog) -> Decision:
        async with free:
            call = await asyncio.to_thread(CaseCall, graph, setting)
            decision = await _run_case(case, call, setting, log)
            models.add(call.graph_llm.model)
            decided(decision)
            return decision

    with kept_failures() as log:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(run(case, log)) for case in cases]
    models.discard(UNKNOWN_MODEL)
    return Side(
        graph.name,
        ", ".join(sorted(models)) or UNKNOWN_MODEL,
        tuple(task.result() for task in running),
    )


async def _run_case(case: Case, call: CaseCall, setting: CaseSetting, log: FailureLog) -> Decision:
    try:
        try:
            decision = await decide(case, call, setting.history)
        finally:
            await call.graph_llm.aclose()
    except Exception as error:  # noqa: BLE001 - whatever a graph raises, the other cases go on
        return Decision(case, "failed", why=describe(error))
    if decision.outcome != "failed":
        return decision
    why = "; ".join(filter(None, (log.why(call.id), decision.why)))
    return replace(decision, why=why)
