#pragma once

namespace kinglet::tools {

/// From now on Ctrl-C, or SIGTERM, only asks to stop; a second one ends the program.
void catch_interrupts();
bool interrupted() noexcept;

}  // namespace kinglet::tools
