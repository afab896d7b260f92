#include <algorithm>
#include <memory>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/intervention_options.h"
#include "cli/result_json.h"
#include "pipeline/capture_file.h"

namespace valuelens {

namespace {

struct CaptureOptions {
    EngineOptions engine;
    InterventionOptions intervention;
    std::string input;
    std::string output;
    std::vector<std::string> locations = {"resid_post"};
};

Outcome run_capture(const CaptureOptions & options, Context & context) {
    const auto wants = [&](const char * location) {
        return std::find(options.locations.begin(), options.locations.end(), location) != options.locations.end();
    };
    CaptureFileOptions capture;
    capture.input = options.input;
    capture.output = options.output;
    capture.mlp_post = wants("mlp_post");
    capture.last_logits = wants("last_logits");
    capture.steer = options.intervention.steer;
    capture.scale_neurons = options.intervention.scale_neurons;
    apply_and_resolve(options.engine, capture.model, capture.scheduler, context);

    const CaptureFileResult result = capture_file(capture, context.console, context.stop);
    return {
        {
            {"output", options.output},
            {"captured", result.captured},
            {"too_long", result.too_long},
            {"stats", stats_json(result.stats)},
        },
        fmt::format("{}: {} transcripts captured, {} too long", options.output, result.captured,
                    result.too_long.size()),
    };
}

} // namespace

void setup_capture(CLI::App & app, Context & context) {
    auto options = std::make_shared<CaptureOptions>();
    CLI::App * command =
        add_command(app, context, "capture", "Read transcripts through a model and keep its activations",
                    "valuelens capture -m smollm2-135m --input transcripts.jsonl --output acts.safetensors",
                    [options, &context] { return run_capture(*options, context); });
    add_engine_options(*command, options->engine)->required();
    command
        ->add_option("--input", options->input,
                     "Transcripts: JSONL of id, system, user, response, or of id, prompt, response")
        ->required()
        ->type_name("FILE");
    command->add_option("--output", options->output, "Activations (safetensors)")->required()->type_name("FILE");
    command
        ->add_option("--locations", options->locations,
                     "What to keep: resid_post (always kept), mlp_post, last_logits (resid_post)")
        ->delimiter(',')
        ->check(unnamed(CLI::IsMember({"resid_post", "mlp_post", "last_logits"})))
        ->type_name("LIST");
    add_intervention_options(*command, options->intervention);
}

} // namespace valuelens
