#include "cli/intervention_options.h"

namespace valuelens {

void add_intervention_options(CLI::App & command, InterventionOptions & options) {
    constexpr const char * group = "Intervention";
    command
        .add_option(
            "--steer", options.steer,
            "FILE:KEY[,layers=A-B][,alpha=X][,mode=add|ablate|clamp][,tokens=all|response|prompt][,unit=raw|resid]"
            "[,location=layer_output|layer_input], repeatable; FILE is safetensors, npz, or a GGUF control vector (no "
            "KEY); default: all layers of the file, alpha 1, add, all tokens, raw")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("SPEC")
        ->group(group);
    add_scale_neurons_option(command, options.scale_neurons, group);
}

void add_scale_neurons_option(CLI::App & command, std::vector<std::string> & scale_neurons, const char * group) {
    command
        .add_option("--scale-neurons", scale_neurons,
                    "neurons.csv,value=V,category=C[,beta=X][,layers=A-B], or a CSV of layer,neuron without value and "
                    "category, "
                    "repeatable; default: beta 0, which switches them off")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("SPEC")
        ->group(group);
}

} // namespace valuelens
