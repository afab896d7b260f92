#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include "cli/command.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

/// The engine options of a command line, named as in llama.cpp. What is not given leaves the config or the default as
/// it is.
struct EngineOptions {
    std::optional<std::string> model; ///< a path, or NAME[:TYPE] of the catalogue
    std::optional<int> threads;
    std::optional<int> n_gpu_layers;
    std::optional<int> ctx_size;
    std::optional<int> parallel;
    std::optional<std::uint64_t> seed;
    std::optional<std::string> kv_type;
    std::optional<std::string> chat_template; ///< a file, or the text
    std::optional<std::string> chat_template_kwargs;
    std::optional<std::string> date;
};

/// -t/--threads alone, for commands without a model.
void add_threads_option(CLI::App & command, std::optional<int> & threads);
/// --seed alone.
void add_seed_option(CLI::App & command, std::optional<std::uint64_t> & seed);

/// All of them. Returns -m/--model, for those commands that cannot do without.
CLI::Option * add_engine_options(CLI::App & command, EngineOptions & options);

/// What --chat-template gives: the text itself where it is Jinja, else a file's contents. Throws Error(usage) where it
/// is neither.
std::string chat_template_text(const std::string & text_or_path);

/// Puts what was given over `model` and `scheduler`; the model's path stays as written. Throws Error(usage) for a
/// template that is neither a file nor a template, Error(bad_input) where the file cannot be read.
void apply_engine_options(const EngineOptions & options, ModelOptions & model, SchedulerOptions & scheduler);

/// The same, with the model found or fetched (resolve_model).
void apply_and_resolve(const EngineOptions & options, ModelOptions & model, SchedulerOptions & scheduler,
                       Context & context);

} // namespace valuelens
