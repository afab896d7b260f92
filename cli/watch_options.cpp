#include "cli/watch_options.h"

#include "base/fail.h"
#include "cli/command.h"

namespace valuelens {

void add_watch_options(CLI::App & command, WatchArguments & arguments, const char * group) {
    command
        .add_option("--watch", arguments.keys,
                    "A direction of the file to watch, repeatable (compliance and every <value>/shared)")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("KEY")
        ->group(group);
    command
        .add_option("--watch-layers", arguments.layers,
                    "Blocks whose outputs are projected, their mean is taken (the one in the middle)")
        ->type_name("A-B")
        ->group(group);
}

WatchOptions to_watch_options(const std::string & file, const WatchArguments & arguments) {
    WatchOptions options;
    options.file = file;
    options.keys = arguments.keys;
    if (!arguments.layers.empty()) {
        options.layers = parse_layer_range(arguments.layers);
        if (!options.layers) {
            fail(ErrorKind::usage, "--watch-layers {}: expected A-B with block numbers from 0, A not above B",
                 arguments.layers);
        }
    }
    return options;
}

CLI::Option * add_defend_option(CLI::App & command, std::string & defend, const char * group) {
    return command
        .add_option(
            "--defend", defend,
            "off; flagged: responses whose first tokens exceed the threshold of a guarded direction are written "
            "anew with it taken out of the stream; all: every response is written so (off)")
        ->check(unnamed(CLI::IsMember({"off", "flagged", "all"})))
        ->type_name("WHICH")
        ->group(group);
}

} // namespace valuelens
