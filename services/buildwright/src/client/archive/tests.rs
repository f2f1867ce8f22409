use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;
use tar::{Builder, Header};

type Entries<'a> = &'a [(&'a str, EntryType, &'a str)];

/// An archive of entries as an attacker would write them: the name goes in unchecked.
fn archive(entries: Entries<'_>) -> File {
    let mut builder = Builder::new(GzEncoder::new(tempfile::tempfile().unwrap(), Compression::fast()));
    for (name, kind, content) in entries {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(if name.ends_with(".sh") { 0o755 } else { 0o644 });
        let data = match kind {
            EntryType::Symlink | EntryType::Link => {
                header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
                ""
            }
            _ => content,
        };
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data.as_bytes()).unwrap();
    }
    let mut file = builder.into_inner().unwrap().finish().unwrap();
    file.flush().unwrap();
    file
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn files_arrive_without_the_outermost_folder_and_programs_stay_programs() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let entries = [
        (
            "pax_global_header",
            EntryType::XGlobalHeader,
            "52 comment=0123456789abcdef0123456789abcdef01234567\n",
        ),
        ("app/", EntryType::Directory, ""),
        ("app/src/main.js", FILE, "let a;"),
        ("app/run.sh", FILE, "#!/bin/sh"),
        ("app/src/link", EntryType::Symlink, "../run.sh"),
    ];
    unpack(archive(&entries), &target, false).unwrap();
    assert_eq!(fs::read_to_string(target.join("src/main.js")).unwrap(), "let a;");
    assert_eq!(fs::read_to_string(target.join("src/link")).unwrap(), "#!/bin/sh");
    assert_eq!(target.join("run.sh").metadata().unwrap().permissions().mode() & 0o100, 0o100);
    assert_eq!(target.join("src/main.js").metadata().unwrap().permissions().mode() & 0o111, 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn an_archive_that_reaches_outside_is_refused_and_leaves_nothing() {
    let hostile: &[(&str, Entries<'_>)] = &[
        ("parent folder", &[("app/ok", FILE, "x"), ("app/../../evil", FILE, "x")]),
        ("only parent folders", &[("../evil", FILE, "x")]),
        ("absolute", &[("/tmp/evil", FILE, "x")]),
        ("link to the outside", &[("app/l", EntryType::Symlink, "/etc")]),
        ("link upwards", &[("app/l", EntryType::Symlink, "..")]),
        (
            "link up through another",
            &[("app/a/x", EntryType::Symlink, ".."), ("app/l", EntryType::Symlink, "a/x/..")],
        ),
        ("file through a link", &[("app/l", EntryType::Symlink, "d"), ("app/l/f", FILE, "x")]),
        ("hard link", &[("app/l", EntryType::Link, "/etc/passwd")]),
        ("device", &[("app/l", EntryType::Char, "")]),
        ("pipe", &[("app/l", EntryType::Fifo, "")]),
    ];
    for (name, entries) in hostile {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a/out");
        assert!(unpack(archive(entries), &target, false).is_err(), "{name}");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0, "{name}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{name}");
    }
}

#[test]
fn a_folder_in_use_is_left_alone_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "mine").unwrap();
    fs::write(folder.path().join("both"), "old").unwrap();
    let made = || archive(&[("app/both", FILE, "new")]);
    assert!(matches!(unpack(made(), folder.path(), false), Err(UnpackError::NotEmpty(_))));
    assert_eq!(fs::read_to_string(folder.path().join("both")).unwrap(), "old");
    unpack(made(), folder.path(), true).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("both")).unwrap(), "new");
    assert_eq!(fs::read_to_string(folder.path().join("mine")).unwrap(), "mine");
}

#[test]
fn nothing_is_written_through_a_link_that_was_there_before() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), folder.path().join("l")).unwrap();
    fs::write(elsewhere.path().join("secret"), "secret").unwrap();
    symlink(elsewhere.path().join("secret"), folder.path().join("f")).unwrap();
    let through = unpack(archive(&[("app/l/evil", FILE, "x")]), folder.path(), true);
    assert!(matches!(through, Err(UnpackError::ThroughLink(_))));
    unpack(archive(&[("app/f", FILE, "x")]), folder.path(), true).unwrap();
    assert_eq!(fs::read_to_string(elsewhere.path().join("secret")).unwrap(), "secret");
}

#[test]
fn a_damaged_archive_is_an_error() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"this is no archive").unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(unpack(file, &folder.path().join("out"), false), Err(UnpackError::Damaged(_))));
}
