#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "steer/directions.h"

namespace valuelens {

/// The three writers take directions with blocks named (fold_directions()); each file appears whole or not at all.
/// `how`: texts kept beside the provenance (source, alpha, unit). What they write is read back by read_directions(),
/// and refused against another model where the provenance is known.

/// A control vector for llama.cpp, repeng and EasySteer. Block 0 has no place in llama.cpp's format: its row is left
/// out and named in the returned notes; Error(usage) where there is no other. `model_hint` of the directions goes into
/// controlvector.model_hint.
std::vector<std::string> write_directions_gguf(const std::filesystem::path & path, const Directions & directions,
                                               const std::map<std::string, std::string> & how);

/// `<key>` [n, n_embd] F32, `layers` [n] I64 and, where known for every block, `resid_norm` [n] F32; metadata:
/// provenance and `how`. A key that is called like one of the other tensors becomes "direction".
void write_directions_safetensors(const std::filesystem::path & path, const Directions & directions,
                                  const std::map<std::string, std::string> & how);

/// The same arrays for numpy.load(), the metadata as one JSON text in the array `metadata`.
void write_directions_npz(const std::filesystem::path & path, const Directions & directions,
                          const std::map<std::string, std::string> & how);

} // namespace valuelens
