#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "valuelens/explain.h"

namespace valuelens {

/// "layer/expert/neuron/pole": names one line of explanations.jsonl.
std::string pole_key(const NeuronId & id, Pole pole);

/// NaN and infinity as null.
nlohmann::ordered_json number_json(double value);

/// {"value", "low", "high"}
nlohmann::ordered_json estimate_json(const Estimate & estimate);

/// Adds what was found out about a pole to its line: explanation, problem, scores, rating. NaN as null.
void put_results(nlohmann::ordered_json & line, const Explanation & explanation);

/// The reverse. Throws nlohmann::json::exception for another shape.
Explanation take_results(const nlohmann::json & line);

/// Results by pole_key, kept beside an output while it is being made, so that a stopped call goes on. Each save()
/// replaces the file whole; prompts are not kept.
class ResultStore {
public:
    /// Reads what an earlier call with the same `settings` left: its store, else its finished output.
    ResultStore(std::filesystem::path output, std::string settings);

    std::map<std::string, Explanation> results;

    void save() const;
    /// The output is there: the store is no longer needed.
    void remove() const;

private:
    bool read_store();
    void read_output();

    std::filesystem::path output_;
    std::filesystem::path store_;
    std::string settings_;
};

/// The companion of an output: explanations.json beside explanations.jsonl.
std::filesystem::path companion_of(const std::filesystem::path & output);
/// What was gathered from its corpus: explanations.harvest.
std::filesystem::path harvest_of(const std::filesystem::path & output);

} // namespace valuelens
