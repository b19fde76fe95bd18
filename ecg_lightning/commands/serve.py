"""`serve CHECKPOINT`: a network as a page in the browser, and as JSON for programs."""

from collections.abc import Sequence

from ecg_lightning.commands.words import Parser
from ecg_lightning.errors import UserError, needs


def serve(arguments: Sequence[str]) -> int:
    """Serves until Ctrl-C or SIGTERM."""
    parser = Parser(prog="serve", add_help=False)
    parser.add_argument("checkpoint")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--token-file")
    parser.add_argument("--most-megabytes", type=int, default=32)
    parser.add_argument("--allow-missing-leads", action="store_true")
    parser.add_argument("--model")
    options = parser.read(arguments)
    if not 0 <= options.port <= 65535:
        raise UserError(f"serve: --port {options.port} must be between 0 and 65535; 0 takes a free one.")
    if not 1 <= options.most_megabytes <= 1024:
        raise UserError(f"serve: --most-megabytes {options.most_megabytes} must be between 1 and 1024.")
    for package in ("fastapi", "uvicorn", "python_multipart"):
        needs(package, "serve", "serve")
    from ecg_lightning.service.limits import MEGABYTE, Limits
    from ecg_lightning.service.run import forbid_core_dumps, listen, read_token

    token = read_token(options.token_file, options.host)
    listener = listen(options.host, options.port)

    import uvicorn

    from ecg_lightning.evaluation.predictor import Predictor
    from ecg_lightning.service.answer import Service
    from ecg_lightning.service.app import create_app, log_line
    from ecg_lightning.service.reading import prepare_readers, remove_leftovers

    with listener:
        predictor = Predictor(
            options.checkpoint, trusted=options.model, allow_missing_leads=options.allow_missing_leads
        )
        predictor.check_terms()
        forbid_core_dumps()
        remove_leftovers()
        prepare_readers()
        name = predictor.card.name or str(predictor.card.model["name"]).removesuffix("Module")
        service = Service(predictor, name, Limits(most_bytes=options.most_megabytes * MEGABYTE))
        service.warm_up()
        app = create_app(service, token, log_line)
        host, port = listener.getsockname()[:2]
        print(f"{name} answers at http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C ends it)", flush=True)
        configuration = uvicorn.Config(
            app, access_log=False, log_level="warning", server_header=False, timeout_graceful_shutdown=30
        )
        uvicorn.Server(configuration).run(sockets=[listener])
    return 0
