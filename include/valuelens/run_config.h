#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace valuelens {

/// An OpenAI-compatible server that generates or judges. Its key comes from the environment alone.
struct ServerConfig {
    std::string url;
    std::string model;
    std::string api_key_env = "VALUELENS_API_KEY";
    std::int64_t concurrency = 16;
    double timeout_s = 120;
    std::int64_t max_retries = 8;
    double price_prompt = 0;
    double price_completion = 0;
};

/// The evaluations of a run in which the model writes: a text costs a hundred times what a choice among options does,
/// so they have a matrix, a judge and limits of their own ([evaluate_written]).
struct WrittenEvaluationConfig {
    std::string directions; ///< as RunConfig::evaluate_directions; empty: the same as there
    std::string values;     ///< empty: those of [evaluate]
    std::string alphas;     ///< empty: those of [evaluate]
    std::int64_t limit = 0; ///< 0: that of [evaluate]
    std::int64_t samples = 0;
    std::int64_t block = 0; ///< prompts of a corpus of diversity; 0: its own
    std::int64_t max_tokens = 0;
    std::string embedding_model; ///< of diversity; empty: the subject's own states
    std::string dilemmas;
    std::string requests;
    std::string benign;
    bool defend = false;
    std::string judge_model; ///< local; with judge_server.url, the judge is there
    std::string judge_answers = "auto";
    ServerConfig judge_server;
};

/// What a run is made from and how: every key of a run's TOML file, with its default. The fields are listed once more,
/// with section, key and meaning, in pipeline/run_config_fields.h; reading, writing, comparing and checking all go
/// through that list.
struct RunConfig {
    std::string model = "smollm2-135m"; ///< a path, or NAME[:TYPE] of the catalogue
    std::int64_t threads = 0;
    std::int64_t n_gpu_layers = -1;
    std::int64_t ctx_size = 0;
    std::int64_t parallel = 32;
    std::string kv_type = "auto";
    std::string chat_template;
    std::string chat_template_kwargs;
    std::string date = "2024-07-26";

    std::string concepts_file;
    std::string templates_file;

    std::string queries_file;
    std::string queries_format = "detect";
    std::int64_t queries_limit = 0;
    bool queries_sample = false;
    std::string queries_language;

    std::int64_t max_tokens = 128;
    double temperature = 0;
    std::int64_t top_k = 0;
    double top_p = 1;
    double min_p = 0;
    std::string activations = "f32";
    std::int64_t slice_size = 256;
    std::string generate_source = "local";
    ServerConfig generate_server;

    std::string judge_kind = "probe";
    std::string judge_probe = "auto";
    std::string judge_model;
    std::string judge_prompt = "auto";
    std::string judge_prior = "matched";
    std::string judge_file;
    std::string judge_check;
    std::int64_t judge_parallel = 32;
    double undecided_low = 0.4;
    double undecided_high = 0.6;
    std::string judge_answers = "auto";
    std::int64_t judge_answer_tokens = 64;
    ServerConfig judge_server;

    std::int64_t min_count = 8;
    double held_out = 0.2;
    std::int64_t bootstraps = 200;
    double confidence = 0.95;

    bool normalize = false;
    std::string decompose_layers;
    std::int64_t permutations = 999;
    std::int64_t null_draws = 200;

    double top_percent = 1;
    double max_angle = 30;
    std::string neuron_scope = "model";
    bool anti_shared = false;
    std::int64_t neuron_null_draws = 40;

    std::string evaluations;
    std::string evaluate_directions = "shared,intrinsic,prompted";
    std::string evaluate_values;
    std::string evaluate_alphas = "1";
    std::string evaluate_unit = "raw";
    std::string evaluate_layers;
    std::string evaluate_languages = "en,zh,es,fr,ko";
    std::string evaluate_questionnaire;
    std::string evaluate_key; ///< of the questionnaire: a shipped name or a file; empty: its items name their values
    std::string evaluate_portrait;
    std::string evaluate_instructions;
    std::string evaluate_queries;
    std::int64_t evaluate_limit = 0;
    std::int64_t evaluate_bootstraps = 1000;
    WrittenEvaluationConfig written;

    std::int64_t seed = 0;
};

/// Reads a config; what it does not state keeps its default. File paths in it are relative to its folder (or, where
/// there is no such file, to the working directory) and come back absolute. Throws Error(usage) with file:line for an
/// unknown key, a value of another type or out of range.
RunConfig load_run_config(const std::filesystem::path & path);

/// The same from a text; `name` stands in errors (empty: what the command line says was put into it), relative paths
/// are meant from `folder`.
RunConfig parse_run_config(const std::string & text, const std::string & name, const std::filesystem::path & folder);

/// TOML with every key written out and explained.
std::string to_toml(const RunConfig & config);

/// Names of the keys whose values differ and that a run cannot change once begun, as "section.key (was X, now Y)". How
/// fast it runs (threads, GPU layers) and where the model's file lies may change.
std::vector<std::string> frozen_differences(const RunConfig & before, const RunConfig & now);

} // namespace valuelens
