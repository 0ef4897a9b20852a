/** How a terminal treats what passes through it, as data: what of termios a guest can change. @see termios(3) */

export interface TerminalSettings {
  /** ICANON: input comes a line at a time, and can be edited until then. */
  readonly canonical: boolean;
  /** ECHO, with ECHOE, ECHOK, ECHOKE and ECHOCTL: what is typed is shown, and what is erased goes. */
  readonly echo: boolean;
  /** ISIG: ^C, ^\ and ^Z are signals. */
  readonly signals: boolean;
  /** ICRNL: the return key gives a newline. */
  readonly returnToNewline: boolean;
  /** OPOST with ONLCR: a newline goes to the beginning of the next line. */
  readonly newlineToReturnNewline: boolean;
}

/** What a terminal starts with: Linux's, without flow control by ^S and ^Q, and with IUTF8. */
export const SETTINGS_DEFAULT: TerminalSettings = {
  canonical: true,
  echo: true,
  signals: true,
  returnToNewline: true,
  newlineToReturnNewline: true,
};

/** Bits of the same, as `wpod_tty.h` has them and as they are in shared memory. */
export const SettingsBits = {
  CANONICAL: 1,
  ECHO: 2,
  SIGNALS: 4,
  RETURN_TO_NEWLINE: 8,
  NEWLINE_TO_RETURN_NEWLINE: 16,
} as const;

const NAMES = {
  canonical: SettingsBits.CANONICAL,
  echo: SettingsBits.ECHO,
  signals: SettingsBits.SIGNALS,
  returnToNewline: SettingsBits.RETURN_TO_NEWLINE,
  newlineToReturnNewline: SettingsBits.NEWLINE_TO_RETURN_NEWLINE,
} as const satisfies Record<keyof TerminalSettings, number>;

const EVERY_BIT = Object.values(NAMES).reduce((all, bit) => all | bit, 0);

export function encodeSettings(settings: TerminalSettings): number {
  let bits = 0;
  for (const [name, bit] of Object.entries(NAMES)) {
    if (settings[name as keyof TerminalSettings]) bits |= bit;
  }
  return bits;
}

/** Undefined when a bit means nothing. */
export function decodeSettings(bits: number): TerminalSettings | undefined {
  if ((bits & ~EVERY_BIT) !== 0) return undefined;
  return {
    canonical: (bits & NAMES.canonical) !== 0,
    echo: (bits & NAMES.echo) !== 0,
    signals: (bits & NAMES.signals) !== 0,
    returnToNewline: (bits & NAMES.returnToNewline) !== 0,
    newlineToReturnNewline: (bits & NAMES.newlineToReturnNewline) !== 0,
  };
}
