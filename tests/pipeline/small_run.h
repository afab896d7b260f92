#pragma once

#include <fmt/format.h>

#include <string>

#include "base/file.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace valuelens::test {

/// The files of a run that takes seconds: two personas, six queries, responses of six tokens, labels from a file.
class SmallRun {
public:
    SmallRun() {
        write("personas.toml", "name = \"pair\"\n"
                               "[[value]]\nid = \"grandparent\"\nname = \"Warm Grandparent\"\n"
                               "definition = \"an older relative with time and tea to spare\"\n"
                               "[[value]]\nid = \"pirate\"\nname = \"Bold Pirate\"\n"
                               "definition = \"a sailor who laughs at danger\"\n");
        write("templates.jsonl", "{\"id\": \"t1\", \"text\": \"You are a {value}: {definition}.\"}\n"
                                 "{\"id\": \"t2\", \"text\": \"Answer as a {value} would.\"}\n");
        write("queries.jsonl",
              "{\"id\": \"q0\", \"text\": \"Should I move for a better job?\"}\n"
              "{\"id\": \"q1\", \"text\": \"What is a good life?\"}\n"
              "{\"id\": \"q2\", \"text\": \"Name a colour.\"}\n"
              "{\"id\": \"q3\", \"text\": \"My neighbour plays loud music every night. What can I say to him?\"}\n"
              "{\"id\": \"q4\", \"text\": \"How do I learn to swim?\"}\n"
              "{\"id\": \"q5\", \"text\": \"Is it fine to be late?\"}\n");
        write_labels(true);
        write_config("");
    }

    /// Half of the responses express each persona, whatever they say. `enough`: else no prompted response expresses
    /// "pirate".
    void write_labels(bool enough) const {
        std::string labels;
        const auto add = [&](int query, const char * response, const char * value, bool expresses) {
            labels += fmt::format("{{\"id\": \"q{}/{}\", \"value\": \"{}\", \"expresses\": {}}}\n", query, response,
                                  value, expresses);
        };
        for (int query = 0; query < 6; ++query) {
            add(query, "intrinsic", "grandparent", query % 2 == 0);
            add(query, "intrinsic", "pirate", query % 3 == 0);
            add(query, "grandparent", "grandparent", query % 2 == 1);
            add(query, "pirate", "pirate", enough && query % 2 == 0);
        }
        write("labels.jsonl", labels);
    }

    /// `model`: of smollm2-135m, as bf16 in the cache. `more` stands at the end, in the section [vectors].
    void write_config(const std::string & more, int max_tokens = 6, int slice_size = 6) const {
        write("config.toml", fmt::format("seed = 3\n"
                                         "[model]\npath = \"smollm2-135m:bf16\"\nthreads = 1\nparallel = 8\n"
                                         "[concepts]\nfile = \"personas.toml\"\n"
                                         "[templates]\nfile = \"templates.jsonl\"\n"
                                         "[queries]\nfile = \"queries.jsonl\"\n"
                                         "[generate]\nmax_tokens = {}\nslice_size = {}\n"
                                         "[judge]\nkind = \"file\"\nfile = \"labels.jsonl\"\n"
                                         "[vectors]\nmin_count = 1\nbootstraps = 20\n{}",
                                         max_tokens, slice_size, more));
    }

    void write(const std::string & name, const std::string & contents) const { write_file(folder / name, contents); }

    static bool has_model() { return !cached_model("smollm2-135m", "bf16").empty(); }

    std::filesystem::path config() const { return folder / "config.toml"; }
    std::filesystem::path run() const { return folder / "run"; }

    TempFolder folder;
};

} // namespace valuelens::test
