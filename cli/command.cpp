#include "cli/command.h"

#include <fmt/format.h>

#include <cmath>

#include "cli/outputs.h"

namespace valuelens {

CLI::App * add_command(CLI::App & parent, Context & context, const std::string & name, const std::string & description,
                       const std::string & example, std::function<Outcome()> action) {
    CLI::App * command = parent.add_subcommand(name, description);
    command->footer("Example:\n  " + example);
    command->add_flag("--json", context.json, "Print the result as one JSON object on stdout")->group("Output");
    command->add_flag("-q,--quiet", context.quiet, "Show warnings and errors only")->group("Output");
    command->add_flag("-v,--verbose", context.verbose, "Show debug messages too")->group("Output");
    command->callback([command, &context, action = std::move(action)] {
        context.action = [command, action] {
            require_outputs_apart(*command);
            return action();
        };
    });
    return command;
}

CLI::Validator unnamed(CLI::Validator validator) {
    return validator.description("");
}

namespace {

CLI::Validator number(const char * expected, bool (*fits)(double)) {
    return CLI::Validator(
        [=](std::string & text) {
            double value = 0;
            return CLI::detail::lexical_cast(text, value) && std::isfinite(value) && fits(value)
                       ? std::string()
                       : fmt::format("\"{}\" is not {}", text, expected);
        },
        "");
}

} // namespace

CLI::Validator positive_number() {
    return number("a number above 0", [](double value) { return value > 0; });
}

CLI::Validator not_empty() {
    return CLI::Validator([](std::string & text) { return text.empty() ? "is empty" : std::string(); }, "");
}

CLI::Validator non_negative_number() {
    return number("a number of at least 0", [](double value) { return value >= 0; });
}

} // namespace valuelens
