"""What workers call when they have measured the best trial of a completed study."""

from fastapi import APIRouter

from service import evaluations
from service.api.bodies import Ctx, JSONRoute
from service.auth import WorkerOnly
from trialbook.evaluation import EvaluationResult
from trialbook.wire import Trial

router = APIRouter(prefix="/evaluations", tags=["evaluations"], route_class=JSONRoute)


@router.post("/{evaluation}/finish", operation_id="finishEvaluation")
async def finish_evaluation(evaluation: str, body: EvaluationResult, context: Ctx, holder: WorkerOnly) -> Trial:
    """Tell what the untouched test part says, or why it could not be asked; the first result counts."""
    return await evaluations.finish(context, evaluation, body)
