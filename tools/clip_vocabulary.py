"""Writes CLIP's byte-pair merges for engine/models/clip-vocabulary from the file that open_clip_torch ships.

The published list is longer than what CLIP uses: its vocabulary takes the first 48,894 merges. The output depends on the
input alone (no time stamp), so running this again changes nothing.

  python tools/clip_vocabulary.py
"""
import gzip
import importlib.util
from pathlib import Path

VOCABULARY_SIZE = 49408
SPECIAL_TOKENS = 2
BYTE_TOKENS = 2 * 256
TARGET = Path(__file__).resolve().parents[1] / 'engine' / 'models' / 'clip-vocabulary' / 'clip-merges.txt.gz'

source = Path(importlib.util.find_spec('open_clip').origin).parent / 'bpe_simple_vocab_16e6.txt.gz'
lines = gzip.decompress(source.read_bytes()).decode('utf-8').split('\n')
merges = lines[1:1 + VOCABULARY_SIZE - SPECIAL_TOKENS - BYTE_TOKENS]
assert all(len(merge.split(' ')) == 2 for merge in merges)
TARGET.write_bytes(gzip.compress(('\n'.join(merges) + '\n').encode('utf-8'), compresslevel=9, mtime=0))
print(f'{TARGET.name}: {len(merges)} merges, {TARGET.stat().st_size} bytes')
