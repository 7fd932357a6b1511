# make demo: measure the bundled sample case.   make test: the whole test suite.
# make review: the sample case in a browser, from a separate environment, .venv-web.
# make test-web: the tests of the browser review; part of make test if Chromium is installed.
# Each target first creates its environment; PYTHON chooses the interpreter (3.10 to 3.13).
PYTHON ?= python3
BIN := .venv/bin
WEB := .venv-web/bin
TORCH := torch==2.13.0

.PHONY: demo review test test-web wheel clean

# torch first and alone: a resolver that chooses it later may install gigabytes of CUDA packages.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet -e '.[scene,dicom,dicomweb,test]'
	touch $@

demo: .venv/ready
	$(BIN)/spinemeasure measure Resources/sample/lumbar_t2.nii.gz -o out/demo
	@echo "Look at out/demo/overview.png; open out/demo/scene.mrb in 3D Slicer."

# trame-slicer requires an older slicer-core than the rest, hence a separate environment.
.venv-web/ready: pyproject.toml
	$(PYTHON) -m venv .venv-web
	$(WEB)/python -m pip install --quiet --upgrade pip
	$(WEB)/python -m pip install --quiet $(TORCH)
	$(WEB)/python -m pip install --quiet -e '.[web]' 'pytest>=8' playwright
	touch $@

out/review/lumbar_t2.nii.gz: Resources/sample/lumbar_t2.nii.gz
	mkdir -p out/review
	cp $< $@

review: .venv-web/ready out/review/lumbar_t2.nii.gz
	$(WEB)/spinemeasure review out/review/lumbar_t2.nii.gz

test-web: .venv-web/ready
	$(WEB)/python -m pytest Testing/web

test: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then $(MAKE) test-web; \
	else echo "Skipped: the tests in a browser. Chromium is not installed: apt-get install chromium"; fi

wheel: .venv/ready
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf .venv .venv-web out dist build
