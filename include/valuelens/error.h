#pragma once

#include <stdexcept>
#include <string>

namespace valuelens {

/// What ended an operation. The command line maps each kind to the exit code of the same number.
enum class ErrorKind {
    internal = 1,    ///< a bug in valuelens
    usage = 2,       ///< a wrong option, argument or config key
    bad_input = 3,   ///< data that cannot be used: a file, a line, a label
    model = 4,       ///< a model that cannot be loaded or does not offer what is asked
    judge = 5,       ///< a judge or a server failed
    interrupted = 6, ///< stopped on request; the same command goes on from there
};

/// The one exception type of the library. `what()` is one sentence for a person: it names the file,
/// line, tensor or field, what was expected, and what to do.
class Error : public std::runtime_error {
public:
    Error(ErrorKind kind, const std::string & message) : std::runtime_error(message), kind_(kind) {}

    ErrorKind kind() const noexcept { return kind_; }

private:
    ErrorKind kind_;
};

} // namespace valuelens
