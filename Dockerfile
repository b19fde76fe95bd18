# The service of one network: `docker build -t ecg . && docker run …`, see ecg_lightning/service/README.md
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY conf conf
COPY ecg_lightning ecg_lightning
# torch for processors alone: a tenth of the size of the build for GPUs
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt \
      --extra-index-url https://download.pytorch.org/whl/cpu '.[serve,hospital]'

FROM python:3.11-slim
COPY --from=build /venv /venv
# a user without rights; what is uploaded lies in /tmp while it is read, which is memory and no disk (see --tmpfs)
RUN useradd --create-home --uid 10001 ecg
USER ecg
WORKDIR /home/ecg
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp ECG_CHECKPOINTS=/checkpoints
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 5)"]
ENTRYPOINT ["python", "-m", "ecg_lightning", "serve"]
CMD ["--help"]
