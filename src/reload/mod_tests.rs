//! When files are read, and when not.

use std::fs;

use super::*;

fn reloader() -> (tempfile::TempDir, Reloader) {
    let dir = tempfile::tempdir().unwrap();
    let (file, secret) = (dir.path().join("hookbridge.yaml"), dir.path().join("secret"));
    fs::write(&secret, "a secret of sufficient length").unwrap();
    let text = format!(
        "kafka: {{ bootstrap.servers: a:1 }}\nsources: {{ s: {{ provider: generic-hex, secrets: [{{ file: {} }}] }} }}",
        secret.display()
    );
    fs::write(&file, text).unwrap();
    let Loaded { result, files, look } = config::load_stable(&file, &[]);
    assert!(look.is_some(), "nothing changes");
    let reloader = Reloader::new(file, &result.unwrap(), files, look);
    (dir, reloader)
}

#[test]
fn is_read_when_two_looks_agree_that_it_has_changed() {
    let (dir, mut reloader) = reloader();
    let secret = dir.path().join("secret");
    assert_eq!([reloader.look(), reloader.look()], [None, None]);
    fs::write(&secret, "another sec").unwrap();
    assert_eq!(reloader.look(), None, "somebody is writing");
    fs::write(&secret, "another secret of sufficient length").unwrap();
    assert_eq!(reloader.look(), None, "somebody is still writing");
    assert_eq!(reloader.look(), Some("a file has changed"));
    assert!(reloader.load().unwrap().is_ok());
    assert_eq!([reloader.look(), reloader.look()], [None, None], "it is read once");
}

#[test]
fn what_failed_is_tried_again_after_a_while_and_when_it_changes() {
    let (dir, mut reloader) = reloader();
    let secret = dir.path().join("secret");
    fs::remove_file(&secret).unwrap();
    assert_eq!([reloader.look(), reloader.look()], [None, Some("a file has changed")]);
    assert!(reloader.load().unwrap().unwrap_err().contains("can't be opened"));
    reloader.failed = Some(Instant::now());
    assert_eq!([reloader.look(), reloader.look()], [None, None]);
    reloader.failed = Instant::now().checked_sub(TRY_AGAIN_AFTER);
    assert_eq!(reloader.look(), Some("it failed before"));
    fs::write(&secret, "another secret of sufficient length").unwrap();
    assert_eq!([reloader.look(), reloader.look()], [None, Some("a file has changed")]);
    assert!(reloader.load().unwrap().is_ok());
}

#[test]
fn what_is_no_file_is_not_read_again() {
    let (dir, mut reloader) = reloader();
    let secret = dir.path().join("secret");
    fs::remove_file(&secret).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(&secret).status();
    assert!(pipe.is_ok_and(|status| status.success()));
    let refused = reloader.load().unwrap().unwrap_err();
    assert!(refused.contains("this is no file"), "{refused}");
    assert_eq!([reloader.look(), reloader.look()], [None, None]);
}
