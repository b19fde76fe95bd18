"""The application: the page, `POST /predict` as JSON, and its description for programs."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, File, Form, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ecg_lightning import __version__
from ecg_lightning.service.answer import Answer, Service
from ecg_lightning.service.gate import Gate
from ecg_lightning.service.limits import Refused
from ecg_lightning.service.page import answer_page, form_page
from ecg_lightning.service.reading import Statements, file_name, folder_of_upload, read_upload

CHUNK = 1 << 20
Files = Annotated[list[UploadFile], File(description="all files of one recording, for example .hea and .dat")]
Rate = Annotated[str, Form(max_length=20, description="Hz, for files that do not state it")]
Unit = Annotated[
    str, Form(max_length=20, description="V, mV, uV, or ADC units per millivolt, for files that state none")
]
Leads = Annotated[
    str, Form(max_length=200, description="names of the rows, joined by commas, for files that state none")
]


class Sentence(BaseModel):
    """What was wrong, and what to do."""

    detail: str


ERRORS: dict[int | str, dict[str, type[BaseModel]]] = {
    status: {"model": Sentence} for status in (401, 408, 413, 422, 500, 503)
}


def create_app(service: Service, token: str | None = None, log: Callable[[str], None] = print) -> FastAPI:
    """Makes the application.

    Args:
        service: the network that answers.
        token: which every request must have; None where none is needed.
        log: gets a line for each request, without any name.
    """
    # FastAPI's own pages of the description load scripts from elsewhere
    app = FastAPI(title="ecg_lightning", version=__version__, docs_url=None, redoc_url=None)
    app.add_middleware(Gate, limits=service.limits, token=token, log=log)

    async def respond(answering: Callable[[], Answer | str]) -> Answer | str:
        try:
            return await run_in_threadpool(answering)
        except Refused as error:
            raise HTTPException(error.status, str(error)) from None
        except Exception as error:  # noqa: BLE001 - a traceback in the log might name the recording
            log(f"unexpected {type(error).__name__} in {_place(error)}")
            raise HTTPException(500, "The recording could not be processed: an error in the service.") from None

    @app.get("/", response_class=HTMLResponse, summary="The page with the form")
    def show_form() -> str:
        return form_page(service)

    @app.post("/", response_class=HTMLResponse, include_in_schema=False)
    async def show_answer(files: Files, rate: Rate = "", unit: Unit = "", leads: Leads = "") -> Answer | str:
        return await respond(
            lambda: answer_page(service, _answer(service, files, rate, unit, leads, saliency=True, picture=True))
        )

    @app.post("/predict", response_model=Answer, responses=ERRORS, summary="Predicts one recording")
    async def predict(
        files: Files,
        rate: Rate = "",
        unit: Unit = "",
        leads: Leads = "",
        saliency: Annotated[bool, Query(description="with what speaks for the positive terms")] = False,
        picture: Annotated[bool, Query(description="with the ECG on paper, as SVG")] = False,
    ) -> Answer | str:
        return await respond(lambda: _answer(service, files, rate, unit, leads, saliency=saliency, picture=picture))

    @app.get("/health", summary="Whether the service answers")
    def health() -> dict[str, str]:
        return {"network": service.name, "status": "ready"}

    def error_response(request: Request, status: int, text: str) -> Response:
        if request.url.path == "/" and request.method == "POST":
            return HTMLResponse(form_page(service, text), status)
        return JSONResponse({"detail": text}, status)

    @app.exception_handler(HTTPException)
    def on_refusal(request: Request, error: HTTPException) -> Response:
        return error_response(request, error.status_code, error.detail or HTTPStatus(error.status_code).phrase)

    @app.exception_handler(RequestValidationError)
    def on_wrong_form(request: Request, error: RequestValidationError) -> Response:
        # the error's own text repeats what was sent
        keys = sorted({str(item["loc"][-1]) for item in error.errors() if str(item["loc"][-1]) in FIELDS})
        return error_response(
            request, 422, f"Wrong or missing: {', '.join(keys) or 'files'}. Send one recording as form data."
        )

    return app


FIELDS = ("files", "rate", "unit", "leads", "saliency", "picture")


def _answer(
    service: Service, files: list[UploadFile], rate: str, unit: str, leads: str, *, saliency: bool, picture: bool
) -> Answer:
    """Reads the uploaded files and answers; the files are gone before the network is asked.

    Raises:
        Refused: for files that are not one recording that can be predicted.
    """
    files = [file for file in files if file.filename]  # a browser sends an empty one for no choice
    if not files:
        raise Refused(422, "No file was chosen. Choose the files of one recording.")
    if len(files) > service.limits.most_files:
        raise Refused(422, f"These are {len(files)} files; a recording has at most {service.limits.most_files}.")
    statements = Statements(_number(rate), unit.strip() or None, _names(leads))
    with folder_of_upload() as folder:
        paths = []
        for file in files:
            path = folder / file_name(file.filename)
            if path in paths:
                raise Refused(422, "Two files have the same name. Choose the files of one recording.")
            with path.open("xb") as target:
                while chunk := file.file.read(CHUNK):
                    target.write(chunk)
            paths.append(path)
        record = read_upload(paths, statements, service.limits)
    return service.answer(record, saliency=saliency, picture=picture)


def _number(rate: str) -> float | None:
    try:
        return float(rate) if rate.strip() else None
    except ValueError:
        raise Refused(422, "The sampling rate is no number. Give it in Hz, for example 500.") from None


def _names(leads: str) -> list[str] | None:
    return [name.strip() for name in leads.split(",")] if leads.strip() else None


def _place(error: BaseException) -> str:
    """Returns the function and line where an error arose."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "unknown" if trace is None else f"{trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}"


def log_line(text: str) -> None:
    """Prints a line of the log with its time."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)
