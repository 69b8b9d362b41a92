"""Commands, one file each: flags, one call into the package, a printed summary. Nothing else imports them."""
