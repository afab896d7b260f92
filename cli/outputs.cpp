#include "cli/outputs.h"

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fail.h"
#include "pipeline/neuron_spec.h"
#include "pipeline/output_apart.h"
#include "pipeline/run_setup.h"
#include "pipeline/steer_spec.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

/// Options of all commands that name what is written.
const std::set<std::string> written_options = {"--output", "--store-completions", "--geometry", "--learn"};

/// The files that an option names for reading: told by the type of its values in the help.
void add_files_read(const CLI::Option & option, std::vector<fs::path> & files) {
    const std::string type = option.get_type_name();
    const auto holds = [&](std::string_view word) {
        return type.find(word) != std::string::npos;
    };
    for (const std::string & text : option.results()) {
        if (option.get_name() == "--scale-neurons") {
            files.push_back(parse_neuron_spec(text).file);
            files.push_back(fs::path(files.back()).replace_extension(".json")); // read beside it
        } else if (holds("SPEC")) {
            files.push_back(parse_steer_spec(text).file);
        } else if (holds("MODEL")) {
            if (const auto model = local_model(text)) {
                files.push_back(*model);
            }
        } else if (holds("FILE")) {
            files.emplace_back(text);
        }
    }
}

} // namespace

void require_outputs_apart(const CLI::App & command) {
    std::vector<WrittenFile> written;
    std::vector<fs::path> read;
    for (const CLI::Option * option : command.get_options()) {
        if (option->count() == 0) {
            continue;
        }
        const std::string name = option->get_name();
        if (!written_options.contains(name)) {
            add_files_read(*option, read);
            continue;
        }
        const std::string file = option->results().front();
        if (file.empty()) {
            fail(ErrorKind::usage, "{} is empty: name what is to be written", name);
        }
        const std::string named = name + " " + file;
        written.push_back({named, file});
        if (name == "--output" && command.get_option_no_throw("--store-completions") != nullptr) {
            written.push_back({named + " (its .part)", file + ".part"});
        }
    }
    require_output_apart(written, read);
}

} // namespace valuelens
