#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <set>
#include <string>

#include "base/fail.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/interrupt.h"

namespace valuelens {
namespace {

int exit_code(ErrorKind kind) {
    return static_cast<int>(kind);
}

void setup_commands(CLI::App & app, Context & context) {
    app.set_version_flag("--version", std::string("valuelens ") + VALUELENS_VERSION, "Print the version");
    app.require_subcommand(1);
    app.footer("Example:\n"
               "  valuelens models fetch smollm2-135m\n"
               "  valuelens run config.toml --run my-run\n"
               "Exit codes: 0 done, 1 a bug in valuelens, 2 usage, 3 bad input data, 4 model cannot be used,\n"
               "            5 judge or server failed, 6 interrupted (a run goes on with the same command).");
    setup_run(app, context);
    setup_generate(app, context);
    setup_judge(app, context);
    setup_vectors(app, context);
    setup_decompose(app, context);
    setup_neurons(app, context);
    setup_explain(app, context);
    setup_merge(app, context);
    setup_status(app, context);
    setup_judge_train(app, context);
    setup_judge_check(app, context);
    setup_capture(app, context);
    setup_sample(app, context);
    setup_serve(app, context);
    setup_monitor(app, context);
    setup_export(app, context);
    setup_eval(app, context);
    setup_tune(app, context);
    setup_report(app, context);
    setup_inspect(app, context);
    setup_models(app, context);
}

/// The command whose arguments were wrong, as it was written.
std::string command_name(const CLI::App & app) {
    std::string name = "valuelens";
    for (const CLI::App * at = &app; !at->get_subcommands().empty();) {
        at = at->get_subcommands().front();
        name += " " + at->get_name();
    }
    return name;
}

/// Whether what the command has done so far is kept, so that it goes on when it is called again.
bool goes_on(const CLI::App & app) {
    const CLI::App * command = &app;
    while (!command->get_subcommands().empty()) {
        command = command->get_subcommands().front();
    }
    static const std::set<std::string> always = {"run", "fetch", "explain", "freeform", "dilemmas", "compliance"};
    const CLI::Option * run = command->get_option_no_throw("--run");
    return always.count(command->get_name()) != 0 || (run != nullptr && run->count() > 0);
}

void print_result(const Context & context, const Outcome & outcome) {
    std::string text =
        context.json ? outcome.json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) : outcome.text;
    if (!text.empty()) {
        text += '\n';
    }
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (!written || std::fflush(stdout) != 0) {
        fail(ErrorKind::bad_input, "the result cannot be written to standard output; is the disk full?");
    }
}

int run_action(Context & context, bool resumable) {
    Console & console = context.console;
    try {
        if (context.quiet || context.verbose) {
            console.set_verbosity(context.quiet ? Console::Verbosity::quiet : Console::Verbosity::verbose);
        }
        const InterruptHandler interrupt;
        context.stop = interrupt.token();
        print_result(context, context.action());
        return 0;
    } catch (const Error & error) {
        if (error.kind() == ErrorKind::interrupted) {
            console.message(LogLevel::debug, error.what());
            console.error(resumable ? "interrupted; run the same command again to go on"
                                    : "interrupted; no result was written, the same command starts over");
        } else if (error.kind() == ErrorKind::internal) {
            console.error(
                fmt::format("error: a bug in valuelens: {}; please report it with the command line", error.what()));
        } else {
            console.error(fmt::format("error: {}", error.what()));
        }
        return exit_code(error.kind());
    } catch (const std::bad_alloc &) {
        console.error("error: there is not enough memory; lower --parallel or --ctx-size, or take a smaller model");
    } catch (const std::exception & error) {
        console.error(
            fmt::format("error: a bug in valuelens: {}; please report it with the command line", error.what()));
    }
    return exit_code(ErrorKind::internal);
}

int run_program(int argc, char ** argv) {
    Console console;
    Context context{console};
    CLI::App app("Finds the directions along which a language model expresses values, by itself and when asked to.",
                 "valuelens");
    setup_commands(app, context);
    std::vector<std::string> arguments = normal_arguments(argc, argv);
    std::reverse(arguments.begin(), arguments.end()); // CLI11 takes them from the back
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::Success & help) {
        return app.exit(help);
    } catch (const CLI::RequiredError & error) {
        // CLI11 misses the command before it minds the word that is none.
        const std::vector<std::string> unknown = app.remaining(true);
        const std::string problem = unknown.empty() ? std::string(error.what())
                                                    : fmt::format("unknown command or option \"{}\"", unknown.front());
        console.error(fmt::format("error: {} (see {} --help)", problem, command_name(app)));
        return exit_code(ErrorKind::usage);
    } catch (const CLI::ParseError & error) {
        console.error(fmt::format("error: {} (see {} --help)", error.what(), command_name(app)));
        return exit_code(ErrorKind::usage);
    }
    return run_action(context, goes_on(app));
}

} // namespace
} // namespace valuelens

int main(int argc, char ** argv) {
    return valuelens::run_program(argc, argv);
}
