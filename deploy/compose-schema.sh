#!/usr/bin/env bash
# Writes deploy/compose/schema: the Compose Specification's own JSON Schema, as the Go module compose-go carries it, which
# Docker Compose itself reads files with (Apache-2.0). Needs Go; run it again for a newer one.
set -euo pipefail
version=v2.16.2
out=$(cd "$(dirname "$0")" && pwd)/compose/schema
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
go mod init schema 2>/dev/null
folder=$(go mod download -json "github.com/compose-spec/compose-go/v2@$version" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
install -D -m 644 "$folder/schema/compose-spec.json" "$out/compose-spec.json"
install -m 644 "$folder/LICENSE" "$out/LICENSE"
cat > "$out/NOTICE" <<NOTICE
compose-spec.json is the JSON Schema of the Compose Specification as carried by the Go module compose-go $version, unchanged,
copyright the Compose Specification authors and Docker, licensed under the Apache License 2.0 (LICENSE). Fetched by
deploy/compose-schema.sh; only a test reads it.
NOTICE
ls -l "$out"
