#pragma once

/// A disk that is full, or a process that is killed, at a chosen file operation: tests/support/faults.cpp stands
/// between the code (SQLite's included) and the C library. Linked into unit tests, and preloaded into the program.
///
/// Counted are operations on files below a folder that take space or change names: creating, writing, flushing,
/// truncating, renaming, linking, removing, making folders. Flushes of that folder are counted but not carried out,
/// which the death of a process cannot tell.
extern "C" {

/// `full`: operation number `at` (from 0) and all later ones that need space fail as on a full disk. `kill`: SIGKILL in
/// the place of operation `at`. `no_links`: files cannot be linked. `count`: nothing happens.
enum FaultMode { faults_count, faults_full, faults_kill, faults_no_links };

/// Begins to count anew.
void faults_arm(const char * folder, enum FaultMode mode, long at);
/// Operations since then; stops counting and failing.
long faults_disarm();
}
