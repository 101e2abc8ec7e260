# Everything here needs Go alone, unless it says otherwise.

# The race detector wants a C compiler; without one the tests run without it.
RACE := $(if $(shell command -v $(shell go env CC)),-race)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
TYPESCRIPT  := typescript@5.9.3

.PHONY: run test bench soak check lint fresh types vuln

run: ## the demo
	go run ./cmd/wallcast

test: ## all tests; those of the page need Chromium, and are skipped without it
	go test $(RACE) -timeout 14m ./...

bench: ## our figures beside those of the hub that every tutorial writes; needs Linux, a quiet machine and some minutes
	go run ./cmd/wallcast/internal/compare

soak: ## ten minutes of viewers who come and go, restarts under ten thousand, a thousand walls; needs Linux and 20,000 open files
	go test ./cmd/wallcast -count 1 -v -timeout 30m -run 'TestSoak|TestHerd|TestManyWalls' -soak 10m -herd 10000 -walls 1000

check: lint fresh types vuln ## what CI checks beside the tests

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

fresh: ## generated code and go.mod are as they would be made now
	.ci/fresh

types: ## the browser code; needs npm
	npx --yes --package $(TYPESCRIPT) tsc --project views/assets

vuln: ## known vulnerabilities; says so if the database can't be reached
	.ci/vuln $(GOVULNCHECK)
