#include "pipeline/output_apart.h"

#include <system_error>

#include "base/fail.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

/// Whether both are there and one file.
bool are_one(const fs::path & a, const fs::path & b) {
    std::error_code ignored; // files that are not there are not the same
    return fs::equivalent(a, b, ignored);
}

/// The same of files that may not be there yet.
bool will_be_one(const fs::path & a, const fs::path & b) {
    std::error_code problem;
    const fs::path first = fs::weakly_canonical(a, problem);
    return are_one(a, b) || (!problem && first == fs::weakly_canonical(b, problem) && !problem);
}

} // namespace

void require_output_apart(std::span<const WrittenFile> written, std::span<const fs::path> read) {
    for (std::size_t i = 0; i < written.size(); ++i) {
        const WrittenFile & file = written[i];
        if (file.path.empty()) {
            continue;
        }
        for (const fs::path & input : read) {
            if (are_one(file.path, input)) {
                fail(ErrorKind::usage, "{}: would replace {}, which is read; name another file", file.named,
                     input.string());
            }
        }
        for (const WrittenFile & other : written.first(i)) {
            if (!other.path.empty() && will_be_one(file.path, other.path)) {
                fail(ErrorKind::usage, "{}: would replace {}, which {} writes; name another file", file.named,
                     other.path.string(), other.named);
            }
        }
    }
}

} // namespace valuelens
