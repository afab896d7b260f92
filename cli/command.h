#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>

#include "cli/console.h"

namespace valuelens {

/// What a command has to say: one of the two goes to stdout.
struct Outcome {
    nlohmann::ordered_json json; ///< an object, with --json
    std::string text;            ///< for people, without a line break at the end; may be empty
};

/// What all commands share. Parsing fills it, then main() calls `action`.
struct Context {
    Console & console;
    std::stop_token stop;
    bool json = false;
    bool quiet = false;
    bool verbose = false;
    std::function<Outcome()> action;
};

/// Adds a subcommand with the output options that each one has. `example` is shown below its help. Before the action,
/// what it writes is told apart from what it reads (require_outputs_apart).
CLI::App * add_command(CLI::App & parent, Context & context, const std::string & name, const std::string & description,
                       const std::string & example, std::function<Outcome()> action);

/// A validator that adds nothing to the type's name in the help.
CLI::Validator unnamed(CLI::Validator validator);

/// As CLI11's own, with a sentence that does not name the largest number there is.
CLI::Validator positive_number();
CLI::Validator non_negative_number();

/// For a name that means nothing when it is empty.
CLI::Validator not_empty();

void setup_run(CLI::App & app, Context & context);
void setup_generate(CLI::App & app, Context & context);
void setup_judge(CLI::App & app, Context & context);
void setup_vectors(CLI::App & app, Context & context);
void setup_decompose(CLI::App & app, Context & context);
void setup_neurons(CLI::App & app, Context & context);
void setup_explain(CLI::App & app, Context & context);
void setup_merge(CLI::App & app, Context & context);
void setup_status(CLI::App & app, Context & context);
void setup_judge_train(CLI::App & app, Context & context);
void setup_judge_check(CLI::App & app, Context & context);
void setup_capture(CLI::App & app, Context & context);
void setup_sample(CLI::App & app, Context & context);
void setup_serve(CLI::App & app, Context & context);
void setup_monitor(CLI::App & app, Context & context);
void setup_export(CLI::App & app, Context & context);
void setup_eval(CLI::App & app, Context & context);
void setup_tune(CLI::App & app, Context & context);
void setup_report(CLI::App & app, Context & context);
void setup_inspect(CLI::App & app, Context & context);
void setup_models(CLI::App & app, Context & context);

} // namespace valuelens
