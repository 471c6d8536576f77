# The service as an image: no build step, Node runs the TypeScript as it is.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional dependencies are the Node and Postgres binaries for checkouts; the image has its own Node and no Postgres.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY bin ./bin
COPY migrations ./migrations
COPY src ./src
RUN ln -s /app/bin/genesys-etl.mjs /usr/local/bin/genesys-etl
USER node
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HTTP_PORT || 8080}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["genesys-etl"]
CMD ["serve"]
