#include <memory>
#include <utility>

#include "base/fail.h"
#include "cli/run_folder.h"

namespace valuelens {

namespace {

Outcome run_status_command(const std::string & run) {
    const RunStatus status = run_status(run);
    nlohmann::ordered_json dropped = nlohmann::ordered_json::object();
    std::string text =
        fmt::format("{}\nmodel:     {}\njudge:     {}\n", status.folder, status.model.empty() ? "-" : status.model,
                    status.judge.empty() ? "-" : status.judge);
    if (!status.shard.empty()) {
        text += fmt::format("shard:     {}\n", status.shard);
    }
    text += fmt::format("generate:  {} of {} slices; {} intrinsic and {} prompted responses\n", status.slices_generated,
                        status.slices_planned, status.intrinsic, status.prompted);
    text += fmt::format("judge:     {} of {} slices; {} labels express, {} do not, {} undecided, {} without opinion\n",
                        status.slices_judged, status.slices_planned, status.expressing, status.not_expressing,
                        status.undecided, status.no_opinion);
    for (const auto & [stage, done] :
         {std::pair{"vectors", status.has_vectors}, {"decompose", status.has_axes}, {"neurons", status.has_neurons}}) {
        text += fmt::format("{:<10} {}\n", fmt::format("{}:", stage), done ? "done" : "not yet");
    }
    nlohmann::ordered_json evaluations = nlohmann::ordered_json::object();
    for (const auto & [name, done] : status.evaluations) {
        evaluations[name] = done;
        text += fmt::format("{:<10} {} {}\n", "evaluate:", name, done ? "done" : "not yet");
    }
    for (const auto & [reason, n] : status.dropped) {
        dropped[reason] = n;
        text += fmt::format("left out:  {} ({})\n", n, reason);
    }
    text += fmt::format("next:      {}", status.next);
    for (const std::string & event : status.events) {
        text += "\n  " + event;
    }
    return {
        {
            {"run", status.folder},
            {"model", status.model},
            {"shard", status.shard},
            {"judge", status.judge},
            {"slices_planned", status.slices_planned},
            {"slices_generated", status.slices_generated},
            {"slices_judged", status.slices_judged},
            {"intrinsic", status.intrinsic},
            {"prompted", status.prompted},
            {"expressing", status.expressing},
            {"not_expressing", status.not_expressing},
            {"undecided", status.undecided},
            {"no_opinion", status.no_opinion},
            {"has_vectors", status.has_vectors},
            {"has_axes", status.has_axes},
            {"has_neurons", status.has_neurons},
            {"evaluations", std::move(evaluations)},
            {"dropped", std::move(dropped)},
            {"next", status.next},
            {"events", status.events},
        },
        std::move(text),
    };
}

} // namespace

void setup_status(CLI::App & app, Context & context) {
    auto run = std::make_shared<std::string>();
    CLI::App * command = add_command(app, context, "status", "What of a run is done, what is next, counts and failures",
                                     "valuelens status --run my-run", [run] { return run_status_command(*run); });
    add_run_option(*command, *run)->required();
}

} // namespace valuelens
