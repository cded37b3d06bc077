# One image for the API, the worker, the migrations and the mail catcher; the command says which.
FROM python:3.13-slim AS dependencies
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin postroom \
    && install --directory --owner postroom --mode 0700 /data
COPY --from=dependencies /venv /venv
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1
COPY alembic.ini worker.py ./
COPY migrations migrations
COPY postroom postroom
COPY activities activities
COPY workflows workflows
COPY api api
# The sandbox loads workflow modules for every run; without bytecode it would compile them each time.
RUN python -m compileall -q .
USER postroom
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "--factory", "api.app:create_app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--no-proxy-headers", "--ws", "none", "--timeout-graceful-shutdown", "10", "--timeout-keep-alive", "75"]
