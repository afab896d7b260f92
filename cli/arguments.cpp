#include "cli/arguments.h"

#include <array>
#include <string_view>
#include <utility>

namespace valuelens {

std::vector<std::string> normal_arguments(int argc, char ** argv) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 2> long_forms = {{
        {"-ngl", "--n-gpu-layers"},
        {"-np", "--parallel"},
    }};
    std::vector<std::string> arguments;
    bool options_ended = false;
    for (int i = 1; i < argc; ++i) {
        std::string argument = argv[i];
        options_ended = options_ended || argument == "--";
        for (const auto & [short_form, long_form] : long_forms) {
            const bool alone = argument == short_form;
            const bool with_value =
                argument.starts_with(short_form) && argument.substr(short_form.size()).starts_with('=');
            if (!options_ended && (alone || with_value)) {
                argument.replace(0, short_form.size(), long_form);
            }
        }
        arguments.push_back(std::move(argument));
    }
    return arguments;
}

} // namespace valuelens
