#pragma once

#include <string>
#include <vector>

#include "valuelens/run_config.h"

namespace valuelens {

/// Whether a run that has begun may change a key.
enum class Change { frozen, free };

/// What a number may be; ends included.
struct Range {
    double low;
    double high;
};

/// The keys of a server, in the section of what it is to do.
template <typename Server, typename Visit>
void visit_server(const char * section, Server & server, Change change_of_model, Visit && visit) {
    using Words = std::vector<std::string>;
    const Range any{-9e18, 9e18};
    const Range not_negative{0, 9e18};
    visit(section, "url", server.url, Change::free, "server: its address, http[s]://host[:port]/v1", any, Words{});
    visit(section, "server_model", server.model, change_of_model,
          "server: the model's name there; empty: the only one it has", any, Words{});
    visit(section, "api_key_env", server.api_key_env, Change::free,
          "server: the environment variable that holds the key, where it wants one", any, Words{});
    visit(section, "concurrency", server.concurrency, Change::free, "server: requests in flight", Range{1, 1024},
          Words{});
    visit(section, "timeout_s", server.timeout_s, Change::free, "server: seconds that one request may take",
          Range{0.001, 86400}, Words{});
    visit(section, "max_retries", server.max_retries, Change::free, "server: of a request, with growing pauses",
          Range{0, 100}, Words{});
    visit(section, "price_prompt", server.price_prompt, Change::free,
          "server: per million prompt tokens, for the estimate; 0: not known", not_negative, Words{});
    visit(section, "price_completion", server.price_completion, Change::free,
          "server: per million answer tokens, for the estimate; 0: not known", not_negative, Words{});
}

/// What the evaluations in which the model writes have of their own.
template <typename Written, typename Visit>
void visit_written(const char * section, Written & w, Visit && visit) {
    using Words = std::vector<std::string>;
    const Range any{-9e18, 9e18};
    const Range not_negative{0, 9e18};
    visit(section, "directions", w.directions, Change::free, "as in [evaluate]; empty: the same", any, Words{});
    visit(section, "values", w.values, Change::free, "comma-separated; empty: as in [evaluate]", any, Words{});
    visit(section, "alphas", w.alphas, Change::free, "comma-separated; empty: as in [evaluate]", any, Words{});
    visit(section, "limit", w.limit, Change::free, "a seeded sample of so many items; 0: as in [evaluate]",
          not_negative, Words{});
    visit(section, "samples", w.samples, Change::free,
          "answers drawn to each prompt in diversity and compliance; 0: each one's own (4 and 9)", not_negative,
          Words{});
    visit(section, "block", w.block, Change::free,
          "prompts whose answers are one corpus in diversity, the unit of its intervals; 0: its own (20)", not_negative,
          Words{});
    visit(section, "max_tokens", w.max_tokens, Change::free, "longest answer; 0: each evaluation's own", not_negative,
          Words{});
    visit(section, "embedding_model", w.embedding_model, Change::free,
          "of diversity: an embedding model (GGUF file, or NAME[:TYPE] of the catalogue); empty: the subject's own "
          "states",
          any, Words{});
    visit(section, "dilemmas", w.dilemmas, Change::free, "of dilemmas; empty: the shipped ones", any, Words{});
    visit(section, "requests", w.requests, Change::free,
          "of compliance: AdvBench's or HarmBench's CSV, or JSONL; empty: the shipped ones", any, Words{});
    visit(section, "benign", w.benign, Change::free, "harmless requests of compliance; empty: the shipped ones", any,
          Words{});
    visit(section, "defend", w.defend, Change::free,
          "compliance: each variant once more with the compliance direction taken out", any, Words{});
    visit(section, "model", w.judge_model, Change::free,
          "the judge's: a GGUF file, or NAME[:TYPE] of `valuelens models list`; empty: url's, or nobody", any, Words{});
    visit(section, "answers", w.judge_answers, Change::free,
          "of a server that judges: auto, logprobs or json (a stated number)", any, Words{"auto", "logprobs", "json"});
    visit_server(section, w.judge_server, Change::free, visit);
}

/// The one list of all keys: section, key, field, whether a run may change it later, what it means, and what it may be.
template <typename Config, typename Visit>
void visit_fields(Config & c, Visit && visit) {
    using Words = std::vector<std::string>;
    const Range any{-9e18, 9e18};
    const Range positive{1, 9e18};
    const Range not_negative{0, 9e18};
    const Range share{0, 1};
    visit("", "seed", c.seed, Change::frozen, "of the template draws, sampling, query sample, splits and resamples",
          not_negative, Words{});
    visit("model", "path", c.model, Change::free, "the subject: a GGUF file, or NAME[:TYPE] of `valuelens models list`",
          any, Words{});
    visit("model", "threads", c.threads, Change::free, "0: the number of physical cores", not_negative, Words{});
    visit("model", "n_gpu_layers", c.n_gpu_layers, Change::free, "-1: as many as fit", any, Words{});
    visit("model", "ctx_size", c.ctx_size, Change::frozen,
          "longest prompt + response in tokens; 0: as needed, up to 8192", not_negative, Words{});
    visit("model", "parallel", c.parallel, Change::frozen, "sequences in flight", Range{1, 256}, Words{});
    visit("model", "kv_type", c.kv_type, Change::frozen, "of the key-value cache; auto: f32 for an F32 model, else f16",
          any, Words{"auto", "f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"});
    visit("model", "chat_template", c.chat_template, Change::frozen, "Jinja text instead of the model's own", any,
          Words{});
    visit("model", "chat_template_kwargs", c.chat_template_kwargs, Change::frozen, "JSON object of template variables",
          any, Words{});
    visit("model", "date", c.date, Change::frozen, "for templates that print today's date", any, Words{});
    visit("concepts", "file", c.concepts_file, Change::frozen, "concept set (TOML); empty: Schwartz's ten basic values",
          any, Words{});
    visit("templates", "file", c.templates_file, Change::frozen,
          "value system prompts (JSONL); empty: the 500 shipped ones", any, Words{});
    visit("queries", "file", c.queries_file, Change::frozen, "users' queries; empty: the shipped everyday queries", any,
          Words{});
    visit("queries", "format", c.queries_format, Change::frozen,
          "detect, jsonl, sharegpt, lmsys, text or value_portrait", any,
          Words{"detect", "jsonl", "sharegpt", "lmsys", "text", "value_portrait"});
    visit("queries", "limit", c.queries_limit, Change::frozen, "use at most so many; 0: all", not_negative, Words{});
    visit("queries", "sample", c.queries_sample, Change::frozen,
          "true: a seeded sample of `limit`; false: the first ones", any, Words{});
    visit("queries", "language", c.queries_language, Change::frozen,
          "LMSYS: only conversations in this language; empty: all", any, Words{});
    visit("generate", "max_tokens", c.max_tokens, Change::frozen, "longest response", positive, Words{});
    visit("generate", "temperature", c.temperature, Change::frozen, "0: greedy", Range{0, 100}, Words{});
    visit("generate", "top_k", c.top_k, Change::frozen, "0: off", not_negative, Words{});
    visit("generate", "top_p", c.top_p, Change::frozen, "1: off", share, Words{});
    visit("generate", "min_p", c.min_p, Change::frozen, "0: off", share, Words{});
    visit("generate", "activations", c.activations, Change::frozen,
          "f32, f16 (half the disk, scaled per row) or none (sums only: judged while generating)", any,
          Words{"f32", "f16", "none"});
    visit("generate", "slice_size", c.slice_size, Change::frozen, "responses per slice, the unit of resumption",
          positive, Words{});
    visit("generate", "source", c.generate_source, Change::frozen,
          "local, or server: the responses come from a server that runs the same model, and are read here", any,
          Words{"local", "server"});
    visit_server("generate", c.generate_server, Change::frozen, visit);
    visit(
        "judge", "kind", c.judge_kind, Change::frozen,
        "probe, ask (a local model, yes or no), server (the same on a server), file (labels) or dictionary (word list)",
        any, Words{"probe", "ask", "server", "file", "dictionary"});
    visit("judge", "probe", c.judge_probe, Change::frozen,
          "auto (all shipped ones that do not read the subject), shipped names joined by +, or a file of `valuelens "
          "judge-train`",
          any, Words{});
    visit("judge", "model", c.judge_model, Change::free, "the judge's model; empty: the one the probe was trained on",
          any, Words{});
    visit("judge", "prompt", c.judge_prompt, Change::frozen,
          "kind = ask or server: auto (the shipped one for the judge's model), or a TOML file with user, yes and no",
          any, Words{});
    visit("judge", "prior", c.judge_prior, Change::frozen,
          "matched (recentred: half of this model's intrinsic responses express a value more than the other half), "
          "balanced or training (a probe's)",
          any, Words{"matched", "balanced", "training"});
    visit("judge", "file", c.judge_file, Change::frozen,
          "kind = file: labels (JSONL); kind = dictionary: word list (JSON)", any, Words{});
    visit("judge", "check", c.judge_check, Change::frozen,
          "human labels to measure the judge on; empty: the probe's own figures", any, Words{});
    visit("judge", "parallel", c.judge_parallel, Change::frozen, "sequences in flight in the judge's model",
          Range{1, 256}, Words{});
    visit("judge", "undecided_low", c.undecided_low, Change::frozen, "probabilities from here ...", share, Words{});
    visit("judge", "undecided_high", c.undecided_high, Change::frozen, "... to below here are left out and counted",
          share, Words{});
    visit("judge", "answers", c.judge_answers, Change::frozen,
          "kind = server: auto, logprobs (of yes and no as the first token) or json (a stated probability)", any,
          Words{"auto", "logprobs", "json"});
    visit("judge", "answer_tokens", c.judge_answer_tokens, Change::frozen,
          "kind = server: longest JSON answer; more where the model thinks before it", Range{8, 1e6}, Words{});
    visit_server("judge", c.judge_server, Change::frozen, visit);
    visit("vectors", "min_count", c.min_count, Change::free, "fewest responses per class", positive, Words{});
    visit("vectors", "held_out", c.held_out, Change::free, "share of queries kept out of the fit for the AUROC", share,
          Words{});
    visit("vectors", "bootstraps", c.bootstraps, Change::free, "resamples of queries behind each interval",
          not_negative, Words{});
    visit("vectors", "confidence", c.confidence, Change::free, "of the intervals", share, Words{});
    visit("decompose", "normalize", c.normalize, Change::free,
          "axes of unit vectors, so that the longer one does not "
          "dominate",
          any, Words{});
    visit("decompose", "layers", c.decompose_layers, Change::free,
          "A-B, the layers of the headline numbers and of the averaged circle; empty: the middle half", any, Words{});
    visit("decompose", "permutations", c.permutations, Change::free, "behind the p of each circle", not_negative,
          Words{});
    visit("decompose", "null_draws", c.null_draws, Change::free, "sets of random directions behind each null",
          not_negative, Words{});
    visit("neurons", "top_percent", c.top_percent, Change::free, "of neurons kept per value", Range{1e-6, 100},
          Words{});
    visit("neurons", "max_angle", c.max_angle, Change::free,
          "degrees from an axis, beyond which a neuron has no "
          "category",
          Range{1e-6, 45}, Words{});
    visit("neurons", "scope", c.neuron_scope, Change::free, "top_percent of each layer, or of the whole model", any,
          Words{"layer", "model"});
    visit("neurons", "anti_shared", c.anti_shared, Change::free,
          "a category of its own for neurons that write against "
          "the shared axis",
          any, Words{});
    visit("neurons", "null_draws", c.neuron_null_draws, Change::free, "random planes behind the counts by chance",
          not_negative, Words{});
    visit("evaluate", "evaluations", c.evaluations, Change::free,
          "comma-separated names of `valuelens eval`, each done under all directions, values and alphas; empty: none",
          any, Words{});
    visit("evaluate", "directions", c.evaluate_directions, Change::free,
          "comma-separated: shared, intrinsic, prompted, intrinsic_orth, prompted_orth (axes); vector_intrinsic, "
          "vector_prompted (the value vectors); compliance (the compliance direction, once for all values)",
          any, Words{});
    visit("evaluate", "values", c.evaluate_values, Change::free, "comma-separated; empty: all of the concept set", any,
          Words{});
    visit("evaluate", "alphas", c.evaluate_alphas, Change::free, "comma-separated strengths, as alpha= of --steer", any,
          Words{});
    visit("evaluate", "unit", c.evaluate_unit, Change::free, "of the strengths, as unit= of --steer", any,
          Words{"raw", "resid"});
    visit("evaluate", "layers", c.evaluate_layers, Change::free, "A-B, the layers steered; empty: all", any, Words{});
    visit("evaluate", "languages", c.evaluate_languages, Change::free, "of cross-lingual, comma-separated", any,
          Words{});
    visit("evaluate", "questionnaire", c.evaluate_questionnaire, Change::free,
          "statements of pvq, leakage, freeform and cross-lingual; empty: the shipped portraits", any, Words{});
    visit(
        "evaluate", "key", c.evaluate_key, Change::free,
        "of the questionnaire, as --key of pvq: pvq40, pvq-rr or a TOML file; empty: its statements name their values",
        any, Words{});
    visit("evaluate", "portrait", c.evaluate_portrait, Change::free, "Value Portrait's file, which portrait needs", any,
          Words{});
    visit("evaluate", "instructions", c.evaluate_instructions, Change::free,
          "IFEval's file or one like it; empty: the shipped tasks", any, Words{});
    visit("evaluate", "queries", c.evaluate_queries, Change::free,
          "queries of diversity; empty: the shipped everyday queries", any, Words{});
    visit("evaluate", "limit", c.evaluate_limit, Change::free, "a seeded sample of so many items; 0: all", not_negative,
          Words{});
    visit("evaluate", "bootstraps", c.evaluate_bootstraps, Change::free, "resamples behind each interval", not_negative,
          Words{});
    visit_written("evaluate_written", c.written, visit);
}

} // namespace valuelens
