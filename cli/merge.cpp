#include "valuelens/merge.h"

#include <fmt/format.h>

#include <memory>

#include "cli/command.h"

namespace valuelens {

namespace {

struct MergeOptions {
    std::vector<std::string> shards;
    std::string output;
};

Outcome run_merge(const MergeOptions & options, Context & context) {
    MergeRequest request;
    request.shards.assign(options.shards.begin(), options.shards.end());
    request.output = options.output;
    const MergeResult result = merge_runs(request, context.console, context.stop);
    std::string text = result.done_before ? fmt::format("{}: merged before", result.folder)
                                          : fmt::format("{}: {} shards joined; {} activation files linked, {} copied",
                                                        result.folder, result.shards, result.linked, result.copied);
    text += fmt::format("\n{} slices, {} responses, {} labels\nnext: {} (valuelens run {}/config.toml)", result.slices,
                        result.responses, result.labels, result.next, result.folder);
    return {
        {
            {"run", result.folder},
            {"shards", result.shards},
            {"slices", result.slices},
            {"responses", result.responses},
            {"labels", result.labels},
            {"linked", result.linked},
            {"copied", result.copied},
            {"done_before", result.done_before},
            {"next", result.next},
        },
        std::move(text),
    };
}

} // namespace

void setup_merge(CLI::App & app, Context & context) {
    auto options = std::make_shared<MergeOptions>();
    CLI::App * command = add_command(app, context, "merge", "Join the shards of a run into one that goes on",
                                     "valuelens merge runs/big/*-of-4 --output runs/big-whole",
                                     [options, &context] { return run_merge(*options, context); });
    command->add_option("shards", options->shards, "Folders of the shards, all of them")
        ->required()
        ->type_name("DIR...");
    command->add_option("--output", options->output, "Folder of the whole run")->required()->type_name("DIR");
}

} // namespace valuelens
