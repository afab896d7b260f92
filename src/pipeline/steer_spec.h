#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/spec_text.h"
#include "steer/directions.h"
#include "valuelens/intervention.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"

namespace valuelens {

/// `--steer FILE:KEY[,layers=A-B][,alpha=X][,mode=add|ablate|clamp][,tokens=all|response|prompt][,unit=raw|resid]`
/// `[,location=layer_output|layer_input]`. A control vector (FILE.gguf) needs no KEY.
struct SteerSpec {
    std::filesystem::path file;
    std::string key;                  ///< tensor in the file; empty: a control vector
    std::optional<LayerRange> layers; ///< nothing: all that the file has
    float alpha = 1.0f;
    SteerMode mode = SteerMode::add;
    TokenScope tokens = TokenScope::all;
    bool resid_unit = false;                          ///< alpha is a fraction of the mean residual norm of the layer
    RowLocation location = RowLocation::layer_output; ///< what the rows of another tool's file are counted by
    SpecText text;
};

/// Throws Error(usage) that quotes the specification.
SteerSpec parse_steer_spec(const std::string & text);

/// Reads the directions of a specification from any file that read_directions() knows: a row per block, or one vector
/// for the layers named. `layers` always counts the blocks whose output is touched.
///
/// `unit=resid` (design, Traps 13): v is replaced by resid_norm[layer] v/|v| before alpha is applied, resid_norm
/// taken from the same file; for clamp, the component is set to alpha resid_norm[layer].
///
/// A file that names no model is used with a warning to `progress`; only its shape is checked. Throws
/// Error(bad_input): no such tensor, another shape, another model or location, a NaN, a zero vector where a
/// direction is needed, no resid_norm where it is needed; Error(usage): layers outside the model or the file.
std::vector<LayerDirection> load_directions(const SteerSpec & spec, const ModelInfo & model,
                                            ProgressSink & progress = silent_progress());

/// What a command line asks to be done to the model: `steer` and `scale_neurons` in the order given. Null when both are
/// empty. Only the files are read; `model` is what read_model_info() gives. Throws as the parts do.
std::shared_ptr<const Intervention> load_intervention(std::span<const std::string> steer,
                                                      std::span<const std::string> scale_neurons,
                                                      const ModelInfo & model,
                                                      ProgressSink & progress = silent_progress());

/// The files that specifications name, each once, as written, with their SHA-256: what a result rests on.
std::vector<std::pair<std::string, std::string>> intervention_files(std::span<const std::string> steer,
                                                                    std::span<const std::string> scale_neurons);

} // namespace valuelens
