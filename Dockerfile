# One image for server and workers; which one it is, the command says. PyTorch is what pip's configuration finds
# by its plain name: for a smaller image without CUDA, build with --build-arg PIP_EXTRA_INDEX_URL=… or PIP_FIND_LINKS=…

FROM node:22-slim AS charts
WORKDIR /charts
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM python:3.11-slim AS packages
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/trialbook
WORKDIR /source
# The packages first: they change seldom, and this layer is the large one. The lock holds also what only tests need,
# so it only constrains the versions here.
COPY requirements.lock pyproject.toml ./
COPY tools/requirements.py tools/
RUN python tools/requirements.py server worker s3 > requirements.txt \
 && /opt/trialbook/bin/pip install --constraint requirements.lock --requirement requirements.txt setuptools
COPY . .
COPY --from=charts /charts/node_modules/echarts/dist/echarts.min.js service/dashboard/static/vendor/echarts.min.js
COPY --from=charts /charts/node_modules/echarts/LICENSE service/dashboard/static/vendor/echarts.LICENSE
COPY --from=charts /charts/node_modules/echarts/NOTICE service/dashboard/static/vendor/echarts.NOTICE
COPY --from=charts /charts/node_modules/zrender/LICENSE service/dashboard/static/vendor/zrender.LICENSE
RUN /opt/trialbook/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --create-home --uid 10001 trialbook \
 && install --directory --owner trialbook --group trialbook --mode 0700 /data
COPY --from=packages /opt/trialbook /opt/trialbook
ENV PATH=/opt/trialbook/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    TRIALBOOK_DATA=/data \
    TRIALBOOK_HOST=0.0.0.0
USER trialbook
WORKDIR /data
VOLUME /data
EXPOSE 8000
# SIGTERM ends server and workers gracefully; a worker saves its trial's checkpoint first.
STOPSIGNAL SIGTERM
CMD ["trialbook-server", "serve"]
