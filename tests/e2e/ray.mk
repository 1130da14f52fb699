# What the tests marked `ray` need: an environment that sees the packages of .venv and has Ray, s3fs and a server that
# speaks S3 besides. Included by the Makefile; needs READY, VENV, BIN and PYTHON.
RAY := .venv-ray
RAY_READY := $(RAY)/ready
PURELIB := import sysconfig; print(sysconfig.get_path("purelib"))

.PHONY: setup-ray test-ray

setup-ray: $(READY) $(RAY_READY)

test-ray: setup-ray
	OMP_NUM_THREADS=1 $(RAY)/bin/python -m pytest -m ray tests/e2e

$(RAY_READY): pyproject.toml constraints.txt tests/e2e/ray.mk | $(READY)
	$(PYTHON) -m venv $(RAY)
	echo "import site; site.addsitedir('$$($(BIN)/python -c '$(PURELIB)')')" \
		> "$$($(RAY)/bin/python -c '$(PURELIB)')/packages_of_venv.pth"
	$(RAY)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		ray s3fs 'moto[s3]' flask flask-cors
	touch $(RAY_READY)
