// Colours after Okabe and Ito, told apart under the common kinds of colour blindness; their values for light and dark
// grounds stand in page.css. Lines differ in dashes, too, and points in shape.

export const conditions = ["intrinsic", "prompted"];
export const color = {
  intrinsic: "var(--intrinsic)",
  prompted: "var(--prompted)",
  shared: "var(--shared)",
  anti_shared: "var(--anti)",
  none: "var(--none)",
  theory: "var(--quiet)",
  chance: "var(--chance)",
  guard: "var(--alarm)",
};
export const dash = { intrinsic: "none", prompted: "5 3" };
export const symbol = { intrinsic: "circle", prompted: "diamond", shared: "square" };

/** Six colours for runs side by side. */
export const runColors = ["var(--intrinsic)", "var(--prompted)", "var(--shared)", "var(--anti)", "var(--run5)", "var(--none)"];
export const runDashes = ["none", "6 3", "2 2", "8 2 2 2", "4 4", "1 3"];
