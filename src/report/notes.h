#pragma once

#include <string>
#include <vector>

#include "report/json.h"

namespace valuelens {

/// A note of a stage: whom it is about, as people write it ("Power (prompted)"), and what it says of it.
struct Note {
    std::string subject; ///< empty: no value is named at its beginning
    std::string text;
};

/// Takes "value 'power', condition prompted: ...", "value 'power': ..." and "power: ..." apart.
Note note_without_subject(const Json & model, const std::string & note);

/// Whether a text holds one of `problems`.
bool repeats(const std::string & text, const std::vector<std::string> & problems);

/// One sentence for each reason, with the names of all that it holds for: notes that differ in their subject and in
/// numbers alone are one. Notes that repeat one of `problems` are left out.
std::vector<std::string> joined_notes(const Json & model, const Json & notes,
                                      const std::vector<std::string> & problems);

} // namespace valuelens
