"""FastAPI's errors as V2 error objects, `{"error": ...}`."""

from fastapi.exceptions import RequestValidationError
from mlserver.rest.requests import Request
from mlserver.rest.responses import Response
from starlette.exceptions import HTTPException

from pokewatch.serving.validation import validation_message


async def _validation_error(_: Request, error: RequestValidationError) -> Response:
    return Response({"error": validation_message(error.errors())}, 422)


async def _http_error(request: Request, error: HTTPException) -> Response:
    not_loaded: dict[str, str] = request.app.state.not_loaded
    if not_loaded and error.status_code == 404 and request.url.path.startswith("/catalog/"):
        # The route does not exist before its model is loaded.
        reasons = (f"{name} is not ready: {reason}" for name, reason in not_loaded.items())
        return Response({"error": "; ".join(reasons)}, 503)
    return Response({"error": str(error.detail)}, error.status_code, headers=error.headers)


EXCEPTION_HANDLERS = {
    RequestValidationError: _validation_error,
    HTTPException: _http_error,
}
