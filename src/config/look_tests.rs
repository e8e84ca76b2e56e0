//! Looking at files: what is a change, and what is not.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_same_is_seen_until_something_changes() {
    let dir = directory();
    let (file, absent) = (dir.path().join("file"), dir.path().join("absent"));
    fs::write(&file, "one").unwrap();
    let files = [file.clone(), absent.clone()];
    let mut last = Look::at(&files);
    let mut changed = |what: &str| {
        let now = Look::at(&files);
        assert_ne!(now, last, "{what}");
        assert_eq!(now, Look::at(&files), "{what}");
        last = now;
    };
    fs::write(&file, "three").unwrap();
    changed("another size");
    fs::write(dir.path().join("other"), "three").unwrap();
    fs::rename(dir.path().join("other"), &file).unwrap();
    changed("another file of the same size in its place");
    fs::write(&absent, "").unwrap();
    changed("a file that was not there");
    fs::remove_file(&absent).unwrap();
    changed("a file that is gone");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    changed("other permissions");
}

/// As the kubelet does it: the files stay what they are, and the link in the middle is replaced.
#[test]
fn a_link_that_is_swapped_is_a_change() {
    let dir = directory();
    let path = |name: &str| dir.path().join(name);
    for version in ["..1", "..2"] {
        fs::create_dir(path(version)).unwrap();
    }
    fs::write(path("..1/secret"), "same").unwrap();
    fs::hard_link(path("..1/secret"), path("..2/secret")).unwrap();
    symlink("..1", path("..data")).unwrap();
    symlink("..data/secret", path("secret")).unwrap();
    let files = [path("secret")];
    let before = Look::at(&files);
    assert_eq!(before, Look::at(&files));
    symlink("..2", path("..data_tmp")).unwrap();
    fs::rename(path("..data_tmp"), path("..data")).unwrap();
    assert_ne!(before, Look::at(&files), "the same inode, by another way");
}

#[test]
fn a_directory_is_no_file_and_what_is_absent_is_nothing() {
    let dir = directory();
    let look = Look::at(&[dir.path().join("absent"), dir.path().to_owned()]);
    assert_eq!(look.not_a_file(), Some(dir.path()));
    assert_eq!(Look::at(&[dir.path().join("absent")]).not_a_file(), None);
}

#[test]
fn every_file_that_is_referred_to_is_looked_at_also_if_the_configuration_is_wrong() {
    let dir = directory();
    let file = dir.path().join("hookbridge.yaml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    let expected = |names: &[&str]| {
        let mut files = vec![file.clone()];
        files.extend(names.iter().map(PathBuf::from));
        files
    };
    write(
        "kafka: { bootstrap.servers: a:1, sasl.password: { file: /p } }\n\
         sources:\n  a: { provider: nobody, secrets: [{ file: /a }, { env: A }, { file: /b, name: '' }] }\n  \
         b: { provider: svix, secrets: [{ file: /a }] }\n",
    );
    let loaded = load_stable(&file, &[]);
    assert!(loaded.result.is_err());
    assert_eq!(loaded.files, expected(&["/p", "/a", "/b"]));
    assert_eq!(loaded.look, Some(Look::at(&loaded.files)));
    write("kafka: [");
    let loaded = load_stable(&file, &loaded.files);
    assert!(loaded.result.is_err() && loaded.look.is_some());
    assert_eq!(loaded.files, expected(&[]), "nothing but the file itself can mend it");
    fs::remove_file(&file).unwrap();
    let loaded = load_stable(&file, &[]);
    assert!(matches!(loaded.result, Err(LoadError::Unreadable { .. })));
    assert_eq!((loaded.files, loaded.look.is_some()), (expected(&[]), true));
}
