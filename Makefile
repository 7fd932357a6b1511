# make demo: measure the bundled sample case.   make test: the whole test suite.
# Both make their own environment in .venv first; PYTHON chooses the interpreter (3.10 to 3.13).
PYTHON ?= python3
BIN := .venv/bin
TORCH := torch==2.13.0

.PHONY: demo test wheel clean

# torch first and by itself: a resolver that chooses it later may bring gigabytes of CUDA packages.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet -e '.[scene,dicom,dicomweb,test]'
	touch $@

demo: .venv/ready
	$(BIN)/spinemeasure measure Resources/sample/lumbar_t2.nii.gz -o out/demo
	@echo "Look at out/demo/overview.png; open out/demo/scene.mrb in 3D Slicer."

test: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

wheel: .venv/ready
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf .venv out dist build
